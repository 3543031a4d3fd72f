"""The tables and the figure of the tailored solvers on the digits models."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bespoke_jax as bj
from experiments import harness
from experiments.digits.solvers import measure as bespoke
from experiments.digits.solvers import page as bespoke_page
from experiments.digits.tailor.measure import NAMES, Config
from experiments.digits.training_free import measure as training_free
from experiments.digits.training_free import page as training_free_page
from experiments.harness import figures, pages

HERE = Path(__file__).parent
FREE = "best training-free, of all grids"
LEARNED = ("bespoke_euler", "bespoke_midpoint", "bespoke_rk4")
OLSS, SECONDS, BEST = "OLSS", "tailor, seconds", "tailor, best"


Curves = dict[str, dict[int, Any]]
"""Label to NFE to RMSE, None where it was not measured."""


def lines_of(config: Config, name: str, results: harness.Results) -> Curves:
    """Label to NFE to RMSE: what `tailor` is compared with, and `tailor`."""
    free = training_free.Config().results(name)
    settings = bespoke.Config()
    curves = bespoke_page.curves(settings, settings.results(name).rows)
    of = lambda kind: {n: results.get(kind=kind, nfe=n)["rmse"] for n in config.nfe}
    return {
        FREE: {n: min(training_free_page.at(free, n).values()) for n in config.nfe},
        **{bespoke_page.LABELS[k]: curves[k] for k in LEARNED},
        OLSS: of("olss"),
        SECONDS: of("seconds"),
        BEST: of("best"),
    }


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    stored = harness.stored(config.results, NAMES, complete=3 * len(config.nfe))
    found = {name: lines_of(config, name, each) for name, each in stored.items()}
    lines = []
    for name, rivals in found.items():
        body = [(k, [line.get(n) for n in config.nfe]) for k, line in rivals.items()]
        over = lambda label, rivals=rivals: [
            rivals[label][n] / rivals[FREE][n] for n in config.nfe
        ]
        body += [(f"{k} over {FREE.split(',')[0]}", over(k)) for k in (SECONDS, BEST)]
        body += costs(config, stored[name])
        lines += [*pages.table(f"{name}: RMSE at NFE", config.nfe, body), ""]
    lines += [spent(config, stored), ""]
    if config.all_of in stored:
        lines += every(config, stored[config.all_of])
    pages.write(HERE, "tailor", lines)
    panels = {name: panel(config, each) for name, each in found.items()}
    ylabel, fitted = figures.ERROR, (SECONDS, BEST)
    figure = bj.plots.error_against_nfe(panels, fitted=fitted, ylabel=ylabel)
    figures.save(figure, HERE / "tailor.png")


def panel(config: Config, rivals: Curves) -> dict[str, bj.plots.Line]:
    """The lines of a model at the NFE of this study, without RK4-Bespoke."""
    out = bespoke_page.LABELS["bespoke_rk4"]
    shown = {
        label: {n: line.get(n) for n in config.nfe}
        for label, line in rivals.items()
        if label != out
    }
    return figures.lines(shown)


def costs(config: Config, results: harness.Results) -> list[tuple[str, list[Any]]]:
    """What the fits of a model spent beyond the ground truth, and what that cost."""
    of = lambda kind, entry: [results.get(kind=kind, nfe=n)[entry] for n in config.nfe]
    off = [
        error / rmse
        for error, rmse in zip(
            of("seconds", "truth_error"), of("seconds", "rmse"), strict=True
        )
    ]
    return [
        ("evaluations of a fit, seconds", of("seconds", "evaluations")),
        ("evaluations of a path of its ground truth", of("seconds", "truth")),
        ("error of that truth over the solver's", off),
        ("evaluations of a fit, best", of("best", "evaluations")),
    ]


def spent(config: Config, stored: dict[str, harness.Results]) -> str:
    """Averages over models and NFE, and the set-up."""
    rows = lambda kind: [
        row for each in stored.values() for row in each.rows if row["kind"] == kind
    ]
    truths = [row["truth"] for row in rows("seconds")]
    seconds = lambda kind: pages.span([r["fit_seconds"] for r in rows(kind)], ".0f")
    return (
        f'"seconds": {config.few} noises, {mean(truths):.0f} evaluations of ground '
        f"truth a path on average over models and NFE, {seconds('seconds')} s. "
        f'"best": {config.fitting} fitting and {config.choosing} choosing paths of the '
        f"shared ground truth, {seconds('best')} s without it. OLSS: the first "
        f"{config.few} of these paths. {config.setup.test} test noises, seed "
        f"{config.setup.seed}. {harness.hardware(stored.values())}."
    )


def every(config: Config, results: harness.Results) -> list[str]:
    """The table of all NFE in one call."""
    row = results.get(kind="set")
    members = {int(n): each for n, each in row["members"].items()}
    budgets = sorted(members)
    single = {n: results.get(kind="best", nfe=n)["rmse"] for n in config.nfe}
    body = [
        ("one call for all", [members[n]["rmse"] for n in budgets]),
        ("one call over a fit of its own (best)", [
            members[n]["rmse"] / single[n] if n in single else None for n in budgets
        ]),
    ]  # fmt: skip
    rising = [n for n in budgets[1:] if members[n]["rmse"] > members[n - 1]["rmse"]]
    return [
        *pages.table(f"{config.all_of}: RMSE at NFE", budgets, body),
        "",
        f"All {len(budgets)} budgets in one call: {row['evaluations']:.3g} evaluations "
        f"beyond the ground truth, {row['fit_seconds']:.0f} s; worse than a smaller "
        f"one at NFE: {pages.listed(rising)}.",
    ]


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)

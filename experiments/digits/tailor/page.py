"""The table and the figure of the tailored solvers on the digits models."""

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


Curves = dict[str, dict[int, Any]]
"""Label to NFE to RMSE, None where it was not measured."""


def lines_of(config: Config, name: str, results: harness.Results) -> Curves:
    """Label to NFE to RMSE: what `tailor` is compared with, and `tailor`."""
    free = training_free.Config().results(name)
    settings = bespoke.Config()
    curves = bespoke_page.curves(settings, settings.results(name).rows)
    return {
        FREE: {n: min(training_free_page.at(free, n).values()) for n in config.nfe},
        **{bespoke_page.LABELS[k]: curves[k] for k in LEARNED},
        "tailor": {row["nfe"]: row["rmse"] for row in results.rows},
    }


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    stored = harness.stored(config.results, NAMES)
    found = {name: lines_of(config, name, each) for name, each in stored.items()}
    lines = []
    for name, rivals in found.items():
        body = [(k, [line.get(n) for n in config.nfe]) for k, line in rivals.items()]
        ours, free = rivals["tailor"], rivals[FREE]
        best = {
            n: min(v[n] for k, v in rivals.items() if k != "tailor" and v.get(n))
            for n in config.nfe
        }
        ratios = [ours[n] / free[n] for n in config.nfe]
        body.append(("tailor over best training-free", ratios))
        body.append(("tailor over best other", [ours[n] / best[n] for n in ours]))
        lines += [*pages.table(f"{name}: RMSE at NFE", config.nfe, body), ""]
    pages.write(HERE, "tailor", [*lines, cost(config, stored)])
    panels = {name: panel(config, each) for name, each in found.items()}
    ylabel, fitted = figures.ERROR, ("tailor",)
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


def cost(config: Config, stored: dict[str, harness.Results]) -> str:
    """What the fits spent, and which of them a limit on seconds has stopped."""
    rows = [(name, row) for name, each in stored.items() for row in each.rows]
    spent = [row["evaluations"] - row["truth_evaluations"] for _, row in rows]
    seconds = [row["fit_seconds"] for _, row in rows]
    cut = [
        f"{name} at {row['nfe']} NFE"
        for name, row in rows
        if row.get("limit") and row["fit_seconds"] > row["limit"]
    ]
    return (
        f"Fits: {pages.span(spent, '.2g')} network evaluations without the ground "
        f"truth, {pages.span(seconds, '.0f')} s while the machine had other work "
        f"(stopped by a limit on seconds: {pages.listed(cut)}). "
        f"{config.fitting} fitting and {config.setup.validation} validation paths, "
        f"{config.setup.test} test noises, seed {config.setup.seed}. "
        f"{harness.hardware(stored.values())}."
    )

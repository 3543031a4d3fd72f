"""The tables, the sentences and the figure of the curve at all numbers of steps."""

from pathlib import Path

import bespoke_jax as bj
from experiments import harness
from experiments.digits.curve.measure import MODELS, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
KINDS = {
    "base": "RK2 (midpoint)",
    "curve": "one curve",
    "native": "RK2-Bespoke, fitted at each n",
}

Errors = dict[str, dict[int, float]]
"""Kind of solver to number of steps to RMSE."""


def errors(results: harness.Results) -> Errors:
    """The RMSE of every solver, by increasing number of steps."""
    rows = sorted(
        (row for row in results.rows if "steps" in row), key=lambda row: row["steps"]
    )
    return {
        kind: {row["steps"]: row["rmse"] for row in rows if row["kind"] == kind}
        for kind in KINDS
    }


def ratios(found: Errors, kind: str) -> dict[int, float]:
    """RMSE of the curve divided by that of another solver."""
    other = found[kind]
    return {n: rmse / other[n] for n, rmse in found["curve"].items() if n in other}


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    # The fit, two solvers at every n, and RK2-Bespoke.
    complete = 1 + 2 * len(config.steps) + len(config.native)
    stored = harness.stored(config.results, MODELS, complete=complete)
    found = {name: errors(results) for name, results in stored.items()}
    lines = []
    for name, each in found.items():
        rows = [(label, each[kind]) for kind, label in KINDS.items()]
        rows += [(f"curve / {kind}", ratios(each, kind)) for kind in ("base", "native")]
        body = [(label, [line.get(n) for n in config.steps]) for label, line in rows]
        lines += [*pages.table(f"{name}: RMSE at n steps", config.steps, body), ""]
        lines += [verdict(config, name, each, stored[name]), ""]
    endpoint = max(each.get(kind="fit")["endpoint"] for each in stored.values())
    lines += [
        f"{pages.fits(config.setup, endpoint)} The curve is fitted with "
        f"{config.learning:g} times the learning rate and {config.effort:g} times the "
        f"iterations. {harness.hardware(stored.values())}.",
    ]
    pages.write(HERE, "curve", lines)
    draw(config, found)


def verdict(config: Config, name: str, found: Errors, results: harness.Results) -> str:
    """What the table says, in words."""
    fit = results.get(kind="fit")
    spent = [row["evaluations"] for row in results.rows if row["kind"] == "native"]
    base, native = ratios(found, "base"), ratios(found, "native")
    apart = [n for n in base if n not in config.fitted]
    worse = [n for n, ratio in base.items() if ratio >= 1]
    gain = (
        f"lower than its base at every n from {min(base)} to {max(base)}"
        if not worse
        else f"not lower than its base at n = {pages.listed(worse)}"
    )
    numbers = sum(len(leaf) for leaf in fit["theta"].values())
    against = ", ".join(f"{ratio:.2f} at n = {n}" for n, ratio in native.items())
    return (
        f"{name}: one curve of degree {config.degree} ({numbers} numbers), fitted at "
        f"n = {pages.listed(config.fitted)}, is {gain}: "
        f"{pages.span(base[n] for n in config.fitted)} times its RMSE where it was "
        f"fitted, {pages.span(base[n] for n in apart)} times at the other n. Relative "
        f"to RK2-Bespoke, which has {pages.listed(8 * n - 1 for n in native)} numbers "
        f"of its own for n = {pages.listed(native)}: {against}. The fit of the curve "
        f"took {fit['evaluations']:.3g} network evaluations besides the ground truth, "
        f"those of RK2-Bespoke {pages.span(spent, '.3g')} each."
    )


def draw(config: Config, found: dict[str, Errors]) -> None:
    """RMSE and the ratios to the base against the number of steps."""
    figure, axes = bj.plots.panels(len(found), 2, size=(4.6, 3.4))
    looks = {
        "base": {"color": "0.35", "ls": "--"},
        "curve": {"color": bj.plots.FITTED, "marker": "o", "ms": 3},
        "native": {"color": "0.35", "marker": "*", "ms": 9, "ls": ""},
    }
    for (left, right), (name, each) in zip(axes, found.items(), strict=True):
        for kind, line in each.items():
            label, look = KINDS[kind], looks[kind]
            left.plot([*line], [*line.values()], label=label, **look)
            relative = {n: rmse / each["base"][n] for n, rmse in line.items()}
            right.plot([*relative], [*relative.values()], label=label, **look)
        for n in config.fitted:
            right.axvline(n, c="0.85", lw=4, zorder=0)
        ticks = [n for n in config.steps if n % 4 == 0 or n == min(config.steps)]
        for axis, label, log in (
            (left, "RMSE (pixels on [-1, 1])", "y"),
            (right, "RMSE relative to RK2", ""),
        ):  # fmt: skip
            bj.plots.dress(
                axis, title=name, xlabel="steps n (two evaluations each)",
                ylabel=label, log=log, xticks=ticks,
            )  # fmt: skip
    bj.plots.legend(figure)
    figures.save(figure, HERE / "curve.png")

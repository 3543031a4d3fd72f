"""The tables, the sentences and the figures of what a fit costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks.fitting.measure import LOSSES, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
AXES = {  # what is spent -> label of the axis, budgets of the table
    "evaluations": ("network evaluations", (25e3, 50e3, 125e3, 250e3, 500e3)),
    "seconds": ("seconds, compilation included", (10, 20, 40, 80, 160)),
}
TICKS = {
    "evaluations": (30e3, 100e3, 300e3),
    "seconds": (5, 10, 20, 50, 100, 200),
    "rmse": (0.01, 0.02, 0.05, 0.1),
}
FILES = {"evaluations": "fitting.png", "seconds": "fitting_seconds.png"}


def write(config: Config) -> None:
    """Write the page and the figures from the stored results."""
    results, losses = config.results(), list(LOSSES)
    fits = [row for row in results.rows if row["kind"] == "fit"]
    families = [row["family"] for row in results.rows if row["kind"] == "start"]
    lines = [
        *errors(families, losses, results, fits),
        "",
        *cost(families, losses, fits),
        "",
    ]
    for spent in AXES:
        lines += [*reached(spent, families, results, fits), ""]
    lines += [crossing(results, fits), "", ground_truth(results), "", settings(results)]
    pages.write(HERE, "fitting", lines)
    for spent, name in FILES.items():
        draw(HERE / name, spent, families, results, fits)


def find(fits: list[dict], family: str, loss: str) -> dict[str, Any]:
    """A fit, {} where the two do not combine."""
    mine = [r for r in fits if r["family"] == family and r["loss"] == loss]
    return mine[0] if mine else {}


def errors(
    families: Sequence[str],
    losses: Sequence[str],
    results: harness.Results,
    fits: list[harness.Row],
) -> list[str]:
    """Test RMSE after each fit, and of `tailor`."""
    body = []
    for family in families:
        rows = [find(fits, family, loss) for loss in losses]
        start = results.get(kind="start", family=family)["rmse"]
        numbers = next(row["numbers"] for row in rows if row)
        body.append((family, [numbers, start, *(row.get("rmse") for row in rows)]))
    tailored = results.get(kind="tailor")
    nfe = results.settings["nfe"]
    lowest = min(fits, key=lambda row: row["rmse"])
    return [
        *pages.table(
            f"test RMSE at {nfe} NFE after the fit",
            ("numbers", "start", *losses),
            body,
        ),
        "",
        f"`tailor`: {tailored['rmse']:.3g} (from {tailored['start']}). The lowest of "
        f"the {len(fits)} fits is {lowest['rmse']:.3g}: {lowest['family']}, "
        f"{lowest['loss']}.",
    ]


def cost(
    families: Sequence[str], losses: Sequence[str], fits: list[harness.Row]
) -> list[str]:
    """Seconds and evaluations of each fit."""
    body = []
    for family in families:
        rows = [find(fits, family, loss) for loss in losses]
        seconds = [row["curve"]["seconds"][-1] if row else None for row in rows]
        body.append((family, seconds))
    ends = {row["curve"]["evaluations"][-1] for row in fits}
    assert len(ends) == 1  # one number of iterations, batches and validations for all
    return [
        *pages.table("seconds of the fit, compilation included", losses, body),
        "",
        f"Each fit spends {ends.pop():,.0f} network evaluations.",
    ]


def at(row: dict[str, Any], spent: str, budget: float) -> float:
    """Held-out RMSE of the best iterate within a budget; inf before the first."""
    inside = np.flatnonzero(np.asarray(row["curve"][spent]) <= budget)
    return row["curve"]["rmse"][inside[-1]] if inside.size else np.inf


def reached(
    spent: str,
    families: Sequence[str],
    results: harness.Results,
    fits: list[harness.Row],
) -> list[str]:
    """The best loss of every family within budgets, and `tailor`."""
    label, budgets = AXES[spent]
    body = []
    for family in families:
        mine, cells = [row for row in fits if row["family"] == family], []
        ends = max(row["curve"][spent][-1] for row in mine)
        for number, budget in enumerate(budgets):
            best = min(mine, key=lambda row, budget=budget: at(row, spent, budget))
            value = at(best, spent, budget)
            # Beyond its end a curve has nothing new to say.
            over = number > 0 and budgets[number - 1] >= ends
            shown = np.isfinite(value) and not over
            still = value == best["curve"]["rmse"][0]
            loss = "the start" if still else best["loss"]
            cells.append(f"{value:.3g} ({loss})" if shown else None)
        body.append((family, cells))
    tailored = results.get(kind="tailor")
    cells = [at(tailored, spent, budget) for budget in budgets]
    body.append(("tailor", [v if np.isfinite(v) else None for v in cells]))
    columns = [f"{budget:,.0f}" for budget in budgets]
    return pages.table(f"held-out RMSE within so many {label}", columns, body)


def crossing(results: harness.Results, fits: list[harness.Row]) -> str:
    """Where `tailor` overtakes the best of the fits."""
    best = min(fits, key=lambda row: row["curve"]["rmse"][-1])
    tailored, goal = results.get(kind="tailor")["curve"], best["curve"]["rmse"][-1]
    said = f"The lowest held-out RMSE of the fits is {goal:.3g} ({best['family']}, "
    said += f"{best['loss']}), after {best['curve']['seconds'][-1]:.0f} s; "
    below = np.flatnonzero(np.asarray(tailored["rmse"]) <= goal)
    if not below.size:
        return said + "`tailor` does not reach it."
    spent, seconds = (tailored[key][below[0]] for key in ("evaluations", "seconds"))
    return (
        said + f"`tailor` is there after {spent:,.0f} evaluations and {seconds:.0f} s."
    )


def ground_truth(results: harness.Results) -> str:
    """Where `tailor` ends, and what the ground truth of all cost."""
    row = results.get(kind="truth")
    tailored = results.get(kind="tailor")["curve"]
    return (
        f"`tailor` ends after {tailored['evaluations'][-1]:,.0f} evaluations and "
        f"{tailored['seconds'][-1]:.0f} s. Not counted above, needed once by all: the "
        f"ground truth of {row['paths']} paths, {row['evaluations']:,} evaluations and "
        f"{row['solve_seconds']:.0f} s."
    )


def settings(results: harness.Results) -> str:
    """What all fits have in common."""
    s = results.settings
    return (
        f"{s['model']} U-Net, {s['nfe']} NFE; Adam, lr {s['lr']:g} with cosine decay, "
        f"{s['iterations']} iterations of {s['batch_size']} paths; {s['training']} "
        f"training, {s['validation']} validation and {s['test']} test noises, seed "
        f"{s['seed']}. One fit after the other, timed once, on a machine that had "
        f"other work. {results.machine}."
    )


def draw(
    path: Path,
    spent: str,
    families: Sequence[str],
    results: harness.Results,
    fits: list[harness.Row],
) -> None:
    """A panel for each family: held-out RMSE against what was spent."""
    figure, axes = bj.plots.panels(2, 3, size=(3.5, 3.3), sharex=True, sharey=True)
    tailored = results.get(kind="tailor")["curve"]
    looks = bj.plots.looks((*LOSSES, "tailor"), fitted=("tailor",))
    looks["tailor"]["ms"] = 5
    for axis, family in zip(axes.flat, families, strict=True):
        found = {"tailor": bj.plots.Line(tailored[spent], tailored["rmse"])}
        start = None
        for loss in LOSSES:
            if row := find(fits, family, loss):
                x, y = (row["curve"][key] for key in (spent, "rmse"))
                found[loss] = bj.plots.Line(x[1:], y[1:])
                start = y[0]
        bj.plots.draw(axis, found, looks)
        axis.axhline(start, c="0.5", lw=1, label="start of the fit")
        bj.plots.dress(axis, title=family, log="xy")
        figures.ticks(axis.xaxis, TICKS[spent])
        figures.ticks(axis.yaxis, TICKS["rmse"])
    for axis in axes[:, 0]:
        axis.set_ylabel("held-out RMSE (pixels on [-1, 1])")
    for axis in axes[-1]:
        axis.set_xlabel(AXES[spent][0])
    bj.plots.legend(figure, columns=len(LOSSES) + 2)
    figures.save(figure, path)

"""The table, the sentences and the figure of `tailor` against Adam."""

from pathlib import Path
from typing import Any

import numpy as np

import bespoke_jax as bj
from experiments.digits.adam.measure import Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent


Curve = tuple[np.ndarray, np.ndarray]
"""Evaluations and the best RMSE so far."""


def curve(row: dict[str, Any]) -> Curve:
    """Evaluations with those of the ground truth, and the best RMSE so far."""
    spent, rmse = (np.asarray(column) for column in row["curve"])
    spent = spent + (row["truth_evaluations"] if spent[0] == 0 else 0)
    return spent, np.minimum.accumulate(rmse)


def first(curve: Curve, goal: float) -> float | None:
    """Evaluations after which a curve is at or below an RMSE; None if never."""
    below = np.flatnonzero(curve[1] <= goal)
    return float(curve[0][below[0]]) if below.size else None


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    results = config.results()
    ours, theirs = results.get(kind="tailor"), results.get(kind="adam")
    (spent, rmse), (long_spent, long_rmse) = curve(ours), curve(theirs)
    goal, truth = float(long_rmse[-1]), ours["truth_evaluations"]
    body = []
    for part in (0.0, 0.01, 0.02):
        at = [first(c, (1 + part) * goal) for c in (curve(ours), curve(theirs))]
        ratio = at[1] / at[0] if at[0] and at[1] else None
        body.append((f"within {100 * part:g} % of Adam's end", [*at, ratio]))
    trial = min(
        (row for row in results.rows if row["kind"] == "trial"),
        key=lambda row: row["validation"],
    )
    cost = truth + 3 * config.trial * config.batch_size * config.nfe
    lines = [
        *pages.table(
            "network evaluations, ground truth included",
            ("tailor", f"Adam, {config.iterations} iterations", "ratio"),
            body,
        ),
        "",
        f"{config.model}, {config.nfe} NFE, held-out RMSE: Adam ends at {goal:.4f} "
        f"after {long_spent[-1]:.3g} evaluations, tailor at {rmse[-1]:.4f} after "
        f"{spent[-1]:.3g}, of which {truth:.3g} are the ground truth that both need. "
        f"On test noises: tailor {ours['rmse']:.4f}, Adam {theirs['rmse']:.4f}. Adam "
        f"with its best learning rate ({trial['rate']:g}, of "
        f"{', '.join(f'{rate:g}' for rate in config.rates)}) and a cosine over only "
        f"{config.trial} iterations is at {trial['validation']:.4f} after {cost:.3g}: "
        "in this basis and from this start, most iterations of the long recipe gain "
        "little. "
        f"{results.machine}.",
    ]
    pages.write(HERE, "adam", lines)
    draw(config, curve(ours), curve(theirs))


def draw(config: Config, ours: Curve, theirs: Curve) -> None:
    """Held-out RMSE against network evaluations."""
    label = f"Adam, {config.iterations} iterations"
    figure, ((axis,),) = bj.plots.panels(1, 1, size=(6, 4))
    axis.plot(*theirs, "--", c="0.35", label=label)
    axis.plot(*ours, "o-", c=bj.plots.FITTED, ms=4, label="tailor")
    axis.axhline(theirs[1][-1], c="0.6", lw=0.8)
    bj.plots.dress(
        axis,
        title=f"{config.model}, {config.nfe} NFE",
        xlabel="network evaluations, ground truth included",
        ylabel="held-out RMSE (pixels on [-1, 1])",
        log="xy",
    )
    bj.plots.legend(figure)
    figures.save(figure, HERE / "adam.png")

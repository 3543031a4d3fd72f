"""Draws the result of training: `uv run python -m experiments.digits.figures`.

`training.png` has the loss curves of `training.json`, `samples.png` digits of the
models from the same noise by 50 steps of RK4 (200 evaluations): far more than any
solver under study, so that the figure shows the models and not a solver's error.
"""

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import data, models
from experiments.harness import figures

HERE = Path(__file__).parent
LABELS = {
    name: f"{name}: {recipe.base.description}"
    for name, recipe in models.RECIPES.items()
}


@dataclass(frozen=True)
class Config:
    """Draws the training curves and a sheet of samples."""

    log: Path = HERE / "training.json"
    out: Path = HERE
    rows: int = 3  # of samples per model
    columns: int = 16
    steps: int = 50  # of RK4
    seed: int = 0


def training(log: dict[str, Any], path: Path) -> None:
    """Loss against iteration, a panel per model: their losses have different units."""
    figure, axes = bj.plots.panels(2, 3, size=(3, 3))
    for axis, (name, label) in zip(axes.flat, LABELS.items(), strict=True):
        curve = log[name]["curve"]
        thousands = np.array(curve["iteration"]) / 1000
        minutes = curve["seconds"][-1] / 60
        axis.plot(thousands, curve["train"], ":", color="0.45", label="training batch")
        axis.plot(
            thousands, curve["validation"], color="black",
            label="held-out digits, averaged weights",
        )  # fmt: skip
        bj.plots.dress(axis, xlabel="iterations (thousands)", log="y")
        title = fill(label, 40, break_on_hyphens=False)
        axis.set_title(f"{title}\n{minutes:.0f} min of training", fontsize=8)
        low, high = min(curve["validation"]), curve["validation"][0]
        axis.set_ylim(0.85 * low, 1.1 * high)
        axis.yaxis.set_major_formatter("{x:.2g}")
        axis.yaxis.set_minor_formatter("{x:.2g}")
        axis.tick_params(which="both", labelsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("mean squared error per number", fontsize=9)
    bj.plots.legend(figure, columns=2)
    figures.save(figure, path)


def draw(config: Config) -> dict[str, np.ndarray]:
    """Samples `(rows * columns, side, side, 1)` of every model, and held-out digits."""
    count = config.rows * config.columns
    sheets = {"held-out digits of the data set": data.load().validation[:count]}
    for name, label in LABELS.items():
        model = models.load(name)
        solver = bj.solvers.construct("rk4", 4 * config.steps, end=model.end)
        x0, c = bj.model.noise(model, jax.random.key(config.seed), count)
        c = c if c is None else jnp.arange(count) % models.CLASSES
        sheets[label] = np.asarray(bj.sample(model.field, solver, x0, c=c))
    return sheets


def samples(sheets: dict[str, np.ndarray], rows: int, path: Path) -> None:
    """One sheet of images under another; place (i, j) is the same noise in each."""
    figure, axes = bj.plots.panels(len(sheets), 1, size=(8, 1.75))
    for axis, (label, images) in zip(axes[:, 0], sheets.items(), strict=True):
        side = images.shape[1]
        grid = images.reshape(rows, -1, side, side)
        gap = side // 8
        space = ((0, 0), (0, 0), (gap, gap), (gap, gap))
        grid = np.pad(grid, space, constant_values=np.nan)
        sheet = grid.transpose(0, 2, 1, 3).reshape(rows * (side + 2 * gap), -1)
        figures.sheet(axis, sheet, low=-1, high=1)
        axis.set_title(label, fontsize=9, loc="left", pad=3)
        axis.set_axis_off()
    note = (
        "One place in the 8x8 sheets is one draw of noise; classes are 0 .. 9, 0 .. 9"
    )
    figure.supxlabel(f"{note}. White -1 to black 1.", fontsize=9)
    figures.save(figure, path)


def main(config: Config) -> None:
    training(harness.load(config.log), config.out / "training.png")
    samples(draw(config), config.rows, config.out / "samples.png")


if __name__ == "__main__":
    main(tyro.cli(Config))

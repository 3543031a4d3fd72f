"""Draws what training gave: `uv run python -m experiments.digits.figures`.

`training.png`, the loss curves of `training.json`, and `samples.png`, digits of the
models from the same noise by 50 steps of RK4 (200 evaluations), far more than any
solver under study, so that what is seen is the models and not a solver's error.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from experiments.digits import data, models

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend comes first)

HERE = Path(__file__).parent
LABELS = {
    "fm_ot": "FM-OT: velocity, CondOT path",
    "fm_cs": "FM/v-CS: velocity, Cosine path",
    "eps_vp": "eps-VP: noise, VP path",
    "fm_ot_class": "FM-OT given the class 0 .. 9, 0 .. 9, ...",
    "fm_ot_16": "FM-OT of digits upscaled to 16x16 (other noise)",
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


def training(log: dict) -> plt.Figure:
    """Loss against iteration, a panel per model: their losses have different units."""
    width = 2.9 * len(log)
    figure, axes = plt.subplots(1, len(log), figsize=(width, 3), layout="constrained")
    for axis, (name, entry) in zip(axes, log.items(), strict=True):
        curve = entry["curve"]
        thousands = np.array(curve["iteration"]) / 1000
        minutes = curve["seconds"][-1] / 60
        axis.plot(thousands, curve["train"], ":", color="0.45", label="training batch")
        axis.plot(
            thousands,
            curve["validation"],
            color="black",
            label="held-out digits, averaged weights",
        )
        axis.set_title(f"{LABELS[name]}\n{minutes:.0f} min of training", fontsize=9)
        axis.set_xlabel("iterations (thousands)", fontsize=9)
        axis.set_yscale("log")
        low, high = min(curve["validation"]), curve["validation"][0]
        axis.set_ylim(0.85 * low, 1.1 * high)
        axis.yaxis.set_major_formatter("{x:.2g}")
        axis.yaxis.set_minor_formatter("{x:.2g}")
        axis.tick_params(which="both", labelsize=7)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("mean squared error per pixel", fontsize=9)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    return figure


def draw(config: Config) -> dict[str, np.ndarray]:
    """Samples `(rows * columns, side, side, 1)` of every model, and held-out digits."""
    count = config.rows * config.columns
    sheets = {"held-out digits of the data set": data.load().validation[:count]}
    for name, label in LABELS.items():
        model = models.load(name)
        solver = bj.solvers.rk4(steps=config.steps, end=model.end)
        x0, c = bj.model.noise(model, jax.random.key(config.seed), count)
        c = c if c is None else jnp.arange(count) % models.CLASSES
        sheets[label] = np.asarray(bj.sample(model.field, solver, x0, c=c))
    return sheets


def samples(sheets: dict[str, np.ndarray], rows: int) -> plt.Figure:
    """One sheet of images under another; place (i, j) is the same noise in each."""
    figure, axes = plt.subplots(
        len(sheets), 1, figsize=(8, 1.75 * len(sheets)), layout="constrained"
    )
    for axis, (label, images) in zip(axes, sheets.items(), strict=True):
        side = images.shape[1]
        grid = images.reshape(rows, -1, side, side)
        gap = side // 8
        space = ((0, 0), (0, 0), (gap, gap), (gap, gap))
        grid = np.pad(grid, space, constant_values=np.nan)
        sheet = grid.transpose(0, 2, 1, 3).reshape(rows * (side + 2 * gap), -1)
        shades = matplotlib.colormaps["gray_r"].with_extremes(bad="0.7")
        axis.imshow(sheet, cmap=shades, vmin=-1, vmax=1)
        axis.set_title(label, fontsize=9, loc="left", pad=3)
        axis.set_axis_off()
    figure.supxlabel(
        "One place in the 8x8 sheets of models is one draw of noise. White -1 to"
        " black 1.",
        fontsize=9,
    )
    return figure


def main(config: Config) -> None:
    training(json.loads(config.log.read_text())).savefig(
        config.out / "training.png", dpi=130
    )
    samples(draw(config), config.rows).savefig(config.out / "samples.png", dpi=130)


if __name__ == "__main__":
    main(tyro.cli(Config))

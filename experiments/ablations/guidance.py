"""Classifier-free guidance: a solver fitted at one weight, used at the others.

    uv run python -m experiments.ablations.guidance

The class-conditional digits model under u + w (u - u_uncond), of which an evaluation
costs two of the network. At each weight w: ground truth of the guided field and one
RK2-Bespoke fit of the direct loss; then every solver at every weight, midpoint and
euler beside them, all from the same noises and classes. Interrupted, the same command
goes on where it stopped. Writes `results/guidance-fm_ot_class.json`, the block
"guidance" of README.md and `guidance.png`.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from bespoke_jax.demo import weights
from experiments import harness
from experiments.digits import classifier, models

matplotlib.use("Agg")
HERE = Path(__file__).parent
NAME = "fm_ot_class"
BASES = {"midpoint": "RK2 (midpoint)", "euler": "RK1 (euler)"}
SHEETS = ("exact", "fitted", "midpoint")


@dataclass(frozen=True)
class Config:
    weights: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0)
    shown: tuple[float, ...] = (0.0, 1.0, 4.0)  # weights whose samples are drawn
    nfe: int = 8  # evaluations of the guided field
    setup: harness.Setup = harness.Setup(training=128, validation=64, test=256)


def results_of(config: Config) -> harness.Results:
    own = {"nfe": config.nfe, "weights": config.weights, "shown": config.shown}
    path = HERE / "results" / f"guidance-{NAME}.json"
    return harness.Results(path, {**own, **config.setup.described()})


def guided(model: bj.Model, w: float) -> Any:
    """The field at weight w; the weight is a leaf, so no weight compiles anew."""
    null = jnp.int32(models.CLASSES)
    return bj.fields.guide(model.field, weight=w, null=null)


def measure(config: Config, results: harness.Results) -> None:
    model = models.load(NAME)

    @lru_cache
    def truth(w: float) -> harness.Truth:
        name = f"{NAME}-guided{w:g}"
        return harness.truth(config.setup, model, name=name, field=guided(model, w))

    @lru_cache
    def solver(by: str | float) -> bj.Solver:
        """A base by its name, a fit by the weight that it was made at."""
        if isinstance(by, str):
            return bj.solvers.construct(by, config.nfe, end=model.end)
        family = bj.families.scale_time(config.nfe // 2, end=model.end)
        name = f"{NAME}-guided{by:g}-bespoke-midpoint-{config.nfe}"
        field = guided(model, by)
        return harness.fitted(config.setup, field, truth(by), family, name).solver

    def one(by: str | float, w: float) -> dict[str, Any]:
        test = truth(w).test
        rmse = harness.errors(guided(model, w), solver(by), test)
        return {**rmse, "endpoint": float(test.certificate.endpoint)}

    def asked(w: float) -> dict[str, float]:
        """Share of samples that the classifier takes for the class asked for."""
        test = truth(w).test
        fitted = harness.sampled(guided(model, w), solver(w), test.x0, test.c)
        right = lambda x: float(np.mean(classes(x) == np.asarray(test.c)))
        return {"exact": right(test.x1), "fitted": right(fitted)}

    def sheets(w: float) -> dict[str, list[str]]:
        """One sample of each class, at every weight from the same noise."""
        first = [int(np.argmax(truth(w).test.c == k)) for k in range(models.CLASSES)]
        test = bj.paths.take(truth(w).test, np.array(first))
        field = guided(model, w)
        sample = lambda by: harness.sampled(field, solver(by), test.x0, test.c)
        images = (test.x1, sample(w), sample("midpoint"))
        return {k: list(map(packed, x)) for k, x in zip(SHEETS, images, strict=True)}

    for w in config.weights:
        for by in (*config.weights, *BASES):
            results.once({"by": by, "w": w}, lambda task=(by, w): one(*task))
        results.once({"asked": w}, lambda w=w: asked(w))
    for w in config.shown:
        results.once({"shown": w}, lambda w=w: sheets(w))


def classes(images: Any) -> np.ndarray:
    """(count,) the classes that the committed classifier sees."""
    params, _ = weights.read(classifier.FILE.read_bytes())
    network = classifier.Classifier()
    _, logits = jax.jit(network.apply)({"params": params}, jnp.asarray(images))
    return np.argmax(logits, axis=-1)


def packed(image: Any) -> str:
    """An image on [-1, 1] in a byte per pixel, as hexadecimal digits."""
    shades = np.clip(np.asarray(image) * 127.5 + 127.5, 0, 255)
    return np.rint(shades).astype(np.uint8).tobytes().hex()


def unpacked(text: str) -> np.ndarray:
    """(side, side) in 0 .. 255."""
    flat = np.frombuffer(bytes.fromhex(text), np.uint8)
    return flat.reshape(2 * (round(flat.size**0.5),))


def matrix(config: Config, results: harness.Results) -> np.ndarray:
    """RMSE: a row for each solver, fits in the order of the weights, then bases."""
    solvers = (*config.weights, *BASES)
    rmse = lambda by, w: results.get(by=by, w=w)["rmse"]
    return np.array([[rmse(by, w) for w in config.weights] for by in solvers])


def row_labels(config: Config) -> list[str]:
    return [*(f"fitted at w = {w:g}" for w in config.weights), *BASES.values()]


def verdict(config: Config, rmse: np.ndarray) -> list[str]:
    """What is lost next door and at the far end, and what midpoint would have done."""
    w, count = config.weights, len(config.weights)
    fits, midpoint = rmse[:count], rmse[count]
    loss = fits / np.diagonal(fits)  # to the native fit of the column's weight
    away = ~np.eye(count, dtype=bool)
    near = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) == 1
    gain = fits / midpoint
    won = int((gain[away] < 1).sum())
    lost = [
        f"{w[i]:g} at {w[j]:g} ({gain[i, j]:.2f})"
        for i, j in np.argwhere(away & (gain >= 1))
    ]
    spread = lambda values: f"{values.min():.2f} to {values.max():.2f}"
    return [
        f"**At a neighbouring weight of {', '.join(f'{v:g}' for v in w)}** a solver "
        f"has {spread(loss[near])} times the RMSE of the native fit (mean "
        f"{loss[near].mean():.2f}). **At the farthest weight**: fitted at {w[0]:g} and "
        f"used at {w[-1]:g} {loss[0, -1]:.2f} times, fitted at {w[-1]:g} and used at "
        f"{w[0]:g} {loss[-1, 0]:.2f} times.",
        "",
        f"**Against midpoint** a transferred solver has the lower RMSE in {won} of "
        f"{away.sum()} pairs ({spread(gain[away])} times; the native fits "
        f"{spread(np.diagonal(gain))} times)."
        + (f" Not lower, ratio in brackets: {'; '.join(lost)}." if lost else ""),
    ]


def write_page(config: Config, results: harness.Results) -> None:
    setup, rmse = config.setup, matrix(config, results)
    columns = [f"w = {w:g}" for w in config.weights]
    body = list(zip(row_labels(config), rmse.tolist(), strict=True))
    share = [results.get(asked=w) for w in config.weights]
    percent = [
        (f"{kind} samples", [f"{100 * row[kind]:.1f} %" for row in share])
        for kind in ("exact", "fitted")
    ]
    endpoint = max(row["endpoint"] for row in results.rows if "by" in row)
    lines = [
        f"Class-conditional digits with classifier-free guidance, u + w (u - u_uncond);"
        f" {config.nfe} evaluations of the guided field, {2 * config.nfe} of the "
        "network. RMSE to the exact solution at the weight of the column (pixels on "
        "[-1, 1]), mean over test noises.",
        "",
        *harness.table("RMSE used at", columns, body),
        "",
        *verdict(config, rmse),
        "",
        "That guidance works, by the digits classifier: the share of test samples that "
        "it takes for the class asked for (fitted: the native fit).",
        "",
        *harness.table("as asked", columns, percent),
        "",
        f"Seed {setup.seed}; {setup.training} training, {setup.validation} validation "
        f"and {setup.test} test noises; RK2-Bespoke, direct RMSE, Adam, lr {setup.lr} "
        f"with cosine decay, {setup.iterations} iterations of {setup.batch_size} "
        "paths. Ground truth: the end points of the certificates are within "
        f"{endpoint:.1g} (RMS, worst sample) of a ten times tighter solve. "
        f"{harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "guidance", lines)
    draw(config, results, rmse)


def draw(config: Config, results: harness.Results, rmse: np.ndarray) -> None:
    import matplotlib.pyplot as plt

    count = len(config.weights)
    ratio = rmse / np.diagonal(rmse[:count])
    figure = plt.figure(figsize=(12, 5.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    axis = left.subplots()
    # White where nothing is lost; a logarithm, because the bases are far off.
    shade = np.log(np.maximum(ratio, 1.0))
    axis.imshow(shade, cmap="gray_r", vmin=0, vmax=2.0 * max(shade.max(), 1e-6))
    for (i, j), value in np.ndenumerate(ratio):
        axis.text(
            j, i, f"{value:.2f}", ha="center", va="center", fontsize=9,
            weight="bold" if i == j else "normal",
        )  # fmt: skip
    axis.axhline(count - 0.5, color="black", lw=1)
    axis.set_xticks(range(count), [f"{w:g}" for w in config.weights])
    axis.set_yticks(range(len(ratio)), row_labels(config))
    axis.set_xlabel("guidance weight w at which the solver is used")
    axis.set_title(f"RMSE / RMSE of the native fit, {config.nfe} NFE", fontsize=10)
    panels = right.subplots(len(config.shown), 1, squeeze=False)[:, 0]
    for panel, w in zip(panels, config.shown, strict=True):
        row = results.get(shown=w)
        sheet = np.block([[unpacked(text) for text in row[kind]] for kind in SHEETS])
        side = sheet.shape[0] // len(SHEETS)
        panel.imshow(sheet, cmap="gray_r", vmin=0, vmax=255)
        panel.set_yticks(side * (np.arange(len(SHEETS)) + 0.5) - 0.5, SHEETS)
        centres = side * (np.arange(models.CLASSES) + 0.5) - 0.5
        panel.set_xticks(centres, range(models.CLASSES))
        for i in range(1, models.CLASSES):
            panel.axvline(side * i - 0.5, color="0.6", lw=1)
        for i in range(1, len(SHEETS)):
            panel.axhline(side * i - 0.5, color="0.6", lw=1)
        panel.tick_params(length=0, labelsize=8)
        title = f"w = {w:g}: exact, native fit and midpoint at {config.nfe} NFE"
        panel.set_title(title, fontsize=9, loc="left", pad=3)
    panels[-1].set_xlabel("class asked for; one column is one noise in all panels")
    figure.savefig(HERE / "guidance.png", dpi=120)


def main(config: Config) -> None:
    results = results_of(config)
    measure(config, results)
    write_page(config, results)


if __name__ == "__main__":
    main(tyro.cli(Config))

"""The tables, the sentences and the figure of solvers at other guidance weights."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments import harness
from experiments.ablations.guidance.measure import BASES, NAME, SHEETS, Config
from experiments.digits import models
from experiments.harness import figures, pages

HERE = Path(__file__).parent


def matrix(config: Config, results: harness.Results) -> np.ndarray:
    """RMSE: a row for each solver, fits in the order of the weights, then bases."""
    solvers = (*config.weights, *BASES)
    rmse = lambda by, w: results.get(by=by, w=w)["rmse"]
    return np.array([[rmse(by, w) for w in config.weights] for by in solvers])


def row_labels(config: Config) -> list[str]:
    """What the rows of the matrix are called."""
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
    spread = lambda values: pages.span(values.tolist())
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


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    results = config.results()
    rmse = matrix(config, results)
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
        *pages.table("RMSE used at", columns, body),
        "",
        *verdict(config, rmse),
        "",
        "That guidance works, by the digits classifier: the share of test samples that "
        "it takes for the class asked for (fitted: the native fit).",
        "",
        *pages.table("as asked", columns, percent),
        "",
        f"{pages.fits(config.setup, endpoint, what='RK2-Bespoke, direct RMSE, ')} "
        f"{results.machine}.",
    ]
    pages.write(HERE, "guidance", lines)
    draw(config, results, rmse)


def draw(config: Config, results: harness.Results, rmse: np.ndarray) -> None:
    """The matrix of ratios, and samples at three weights."""
    figure = figures.empty((12, 5.4))
    halves: Any = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    left, right = halves
    draw_matrix(left.subplots(), config, rmse)
    panels = right.subplots(len(config.shown), 1, squeeze=False)[:, 0]
    for panel, w in zip(panels, config.shown, strict=True):
        draw_samples(panel, config, w, results.get(shown=w))
    panels[-1].set_xlabel("class asked for; one column is one noise in all panels")
    figures.save(figure, HERE / "guidance.png")


def draw_matrix(axis: figures.Axes, config: Config, rmse: np.ndarray) -> None:
    """RMSE of each solver at each weight over that of the native fit."""
    count = len(config.weights)
    ratio = rmse / np.diagonal(rmse[:count])
    # White where nothing is lost; a logarithm, because the bases are far off.
    shade = np.log(np.maximum(ratio, 1.0))
    figures.sheet(axis, shade, low=0, high=2.0 * max(shade.max(), 1e-6))
    for (i, j), value in np.ndenumerate(ratio):
        weight = "bold" if i == j else "normal"
        place = {"ha": "center", "va": "center", "fontsize": 9, "weight": weight}
        axis.text(j, i, f"{value:.2f}", **place)
    axis.axhline(count - 0.5, color="black", lw=1)
    axis.set_xticks(range(count), [f"{w:g}" for w in config.weights])
    axis.set_yticks(range(len(ratio)), row_labels(config))
    axis.set_xlabel("guidance weight w at which the solver is used")
    axis.set_title(f"RMSE / RMSE of the native fit, {config.nfe} NFE", fontsize=10)


def draw_samples(
    axis: figures.Axes, config: Config, w: float, row: harness.Row
) -> None:
    """Exact samples, those of the native fit and of midpoint, a class a column."""
    image = lambda text: harness.shades(text).reshape(models.RECIPES[NAME].shape[:2])
    sheet = np.block([[image(text) for text in row[kind]] for kind in SHEETS])
    side = sheet.shape[0] // len(SHEETS)
    figures.sheet(axis, sheet, low=0, high=255)
    axis.set_yticks(side * (np.arange(len(SHEETS)) + 0.5) - 0.5, SHEETS)
    centres = side * (np.arange(models.CLASSES) + 0.5) - 0.5
    axis.set_xticks(centres, map(str, range(models.CLASSES)))
    for i in range(1, models.CLASSES):
        axis.axvline(side * i - 0.5, color="0.6", lw=1)
    for i in range(1, len(SHEETS)):
        axis.axhline(side * i - 0.5, color="0.6", lw=1)
    axis.tick_params(length=0, labelsize=8)
    title = f"w = {w:g}: exact, native fit and midpoint at {config.nfe} NFE"
    axis.set_title(title, fontsize=9, loc="left", pad=3)

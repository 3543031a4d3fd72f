"""Figures: arrays in, a matplotlib `Figure` out; no display and no global state.

Lines differ in dash and marker as well as in colour, so that they survive greyscale.
"""

import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter

# Colour (Okabe and Ito's set, distinguishable by the colour-blind), dash, marker.
_STYLES = (
    ("#000000", "--", "o"),
    ("#0072B2", "-.", "s"),
    ("#009E73", ":", "^"),
    ("#CC79A7", (0, (5, 1, 1, 1, 1, 1)), "D"),
    ("#56B4E9", (0, (1, 1)), "v"),
    ("#E69F00", (0, (7, 2)), "P"),
)
_FITTED = "#D55E00"


def is_image(shape: Sequence[int]) -> bool:
    """Whether one sample can be drawn: (height, width) or with 1, 3 or 4 channels."""
    return (len(shape) == 2 and min(shape) > 1) or (
        len(shape) == 3 and shape[-1] in (1, 3, 4)
    )


def images(
    rows: Mapping[str, Any], *, data_range: float = 2.0, columns: int = 12
) -> Figure:
    """Samples as labelled rows of images: column j is the same noise in every row.

    Args:
        rows: label to (batch, height, width) or (batch, height, width, channels).
        data_range: values from -data_range/2 to data_range/2 run from black to white.
        columns: at most this many samples a row.

    Raises:
        ValueError: no rows, samples that are not images, or an empty batch.
    """
    if not rows:
        raise ValueError("images needs at least one row of samples")
    batches = {label: np.asarray(x, np.float32) for label, x in rows.items()}
    for label, x in batches.items():
        if not is_image(x.shape[1:]) or len(x) == 0:
            raise ValueError(
                f"expected (batch, height, width[, channels]) in row {label!r}, "
                f"got shape {x.shape}"
            )
    columns = min(columns, *(len(x) for x in batches.values()))
    figure = Figure(
        figsize=(1.9 + 0.62 * columns, 0.2 + 0.62 * len(batches)),
        layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03, hspace=0.0, wspace=0.0),
    )
    axes = figure.subplots(len(batches), columns, squeeze=False)
    for line, (label, x) in zip(axes, batches.items(), strict=True):
        shade = np.clip(x[:columns] / data_range + 0.5, 0.0, 1.0)
        for axis, image in zip(line, shade, strict=True):
            grey = image.ndim == 2 or image.shape[-1] == 1
            axis.imshow(
                image.reshape(image.shape[:2]) if grey else image,
                cmap="gray" if grey else None,
                vmin=0.0,
                vmax=1.0,
            )
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(
            label, rotation=0, ha="right", va="center", labelpad=8, fontsize=9
        )
    return figure


def sheet(x: Any, *, data_range: float = 2.0, columns: int = 8) -> Figure:
    """Samples of one solver as a square sheet without labels.

    Raises:
        ValueError: as `images`.
    """
    x = np.asarray(x)
    lines = [x[i : i + columns] for i in range(0, len(x), columns)]
    if len(lines) > 1 and len(lines[-1]) < columns:
        lines.pop()
    named = {" " * i: line for i, line in enumerate(lines)}
    return images(named, data_range=data_range, columns=columns)


def rmse_against_nfe(
    curves: Mapping[str, Sequence[tuple[int, float]]],
    fitted: Mapping[str, tuple[int, float]],
    *,
    title: str = "",
) -> Figure:
    """RMSE to the exact solution against network evaluations, both on log axes.

    Args:
        curves: solver name to its (NFE, RMSE) pairs, drawn as lines.
        fitted: solver name to one (NFE, RMSE), a star with its value in the legend.
        title: over the axes.
    """
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axis = figure.subplots()
    for (name, pairs), (colour, dash, marker) in zip(
        curves.items(), cycle(_STYLES), strict=False
    ):
        nfe, rmse = zip(*sorted(pairs), strict=True)
        axis.plot(nfe, rmse, color=colour, ls=dash, marker=marker, ms=5, label=name)
    for name, (nfe, rmse) in fitted.items():
        label = f"{name} ({rmse:.3g} at {nfe} NFE)"
        axis.plot(
            nfe, rmse, "*", color=_FITTED, mec="black", ms=16, zorder=3, label=label
        )
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="network evaluations per sample (NFE)",
        ylabel="RMSE to the exact solution (data units)",
        title=title,
    )
    ticks = sorted({n for pairs in curves.values() for n, _ in pairs}) or None
    if ticks:
        axis.set_xticks(ticks)
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.margins(y=0.12)
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    return figure


def learned_path(values: Mapping[str, Any], *, end: float, title: str = "") -> Figure:
    """The learned time t(r) and scale s(r) at their nodes, with the identity's.

    Args:
        values: `family.values(theta)` of a scale-time family: r, t, s, (nodes,) each.
        end: end of the interval; the identity is t = end r, s = 1.
        title: over both panels.
    """
    r, t, s = (np.asarray(values[key], np.float64) for key in ("r", "t", "s"))
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis, learned, identity, name in (
        (left, t, end * r, "time t(r)"),
        (right, s, np.ones_like(r), "scale s(r)"),
    ):
        axis.plot(r, identity, color="0.45", ls="--", label="identity (base solver)")
        axis.plot(r, learned, color=_FITTED, marker="o", ms=4, label="learned")
        axis.set(xlabel="solver time r", ylabel=name)
        axis.grid(alpha=0.3)
    left.legend()
    figure.suptitle(title, fontsize=11)
    return figure


def write(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure (format by suffix, 150 dots per inch) and return its path."""
    path = Path(path)
    figure.savefig(path, dpi=150)
    return path

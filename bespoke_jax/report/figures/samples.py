"""Samples: images in rows and sheets, points beside the exact ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bespoke_jax.report.figures.style import FITTED


def is_image(shape: Sequence[int]) -> bool:
    """Whether one sample can be drawn: (height, width) or with 1, 3 or 4 channels."""
    return (len(shape) == 2 and min(shape) > 1) or (
        len(shape) == 3 and shape[-1] in (1, 3, 4)
    )


def shades(x: Any, data_range: float) -> np.ndarray:
    """Values from -data_range/2 to data_range/2 as 0 (black) to 1 (white), clipped.

    What is not a number is black.
    """
    return np.clip(np.nan_to_num(np.asarray(x) / data_range + 0.5), 0.0, 1.0)


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
        for axis, image in zip(line, shades(x[:columns], data_range), strict=True):
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


def scatter(exact: Any, x: Any, *, title: str = "") -> Figure:
    """Samples as points, each joined to the exact one that starts at the same noise.

    Samples of more than two numbers are drawn in the plane of the exact samples' first
    two principal components, those of one number against their rank.

    Args:
        exact, x: (batch, *shape) exact samples and a solver's.
        title: over the axes.

    Raises:
        ValueError: different shapes, or fewer than two samples.
    """
    exact, x = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (exact, x))
    if exact.shape != x.shape or len(x) < 2:
        raise ValueError(
            "scatter needs two sets of at least two samples and of one shape; got "
            f"{exact.shape} and {x.shape}"
        )
    labels = ("first coordinate", "second coordinate")
    if exact.shape[1] == 1:
        rank = np.argsort(np.argsort(exact[:, 0]))
        exact, x = (np.stack([rank, a[:, 0]], 1) for a in (exact, x))
        labels = ("rank of the exact sample", "value")
    elif exact.shape[1] > 2:
        mean = exact.mean(0)
        _, _, axes = np.linalg.svd(exact - mean, full_matrices=False)
        exact, x = ((a - mean) @ axes[:2].T for a in (exact, x))
        labels = ("first principal component", "second principal component")
    figure = Figure(figsize=(4.0, 3.9), layout="constrained")
    axis = figure.subplots()
    # Drawn as pixels inside a vector figure: hundreds of paths are heavier.
    joins = LineCollection(
        list(np.stack([exact, x], axis=1)), color="0.6", lw=0.6, rasterized=True
    )
    axis.add_collection(joins)
    look = {"ls": "", "rasterized": True}
    axis.plot(
        *exact.T, marker="o", ms=3.5, mfc="none", mec="black", label="exact", **look
    )
    axis.plot(*x.T, marker=".", ms=4, color=FITTED, label="solver", **look)
    axis.set(xlabel=labels[0], ylabel=labels[1])
    axis.set_title(title, fontsize=10)
    # The exact samples set the frame: a diverging sample would shrink all others.
    for limits, values in ((axis.set_xlim, exact[:, 0]), (axis.set_ylim, exact[:, 1])):
        low, high = values.min(), values.max()
        limits(low - 0.15 * (high - low), high + 0.15 * (high - low))
    axis.grid(alpha=0.3)
    axis.legend(loc="best", fontsize=8)
    return figure

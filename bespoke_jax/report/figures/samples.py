"""Samples: images in rows and sheets, vectors as points joined to the exact ones."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import ArrayLike

from bespoke_jax.report.figures.style import FITTED


def is_image(shape: Sequence[int]) -> bool:
    """Whether one sample can be drawn: (height, width) or with 1, 3 or 4 channels."""
    return (len(shape) == 2 and min(shape) > 1) or (
        len(shape) == 3 and shape[-1] in (1, 3, 4)
    )


def shades(x: ArrayLike, data_range: float | int) -> np.ndarray:
    """Values from -data_range/2 to data_range/2 as 0 (black) to 1 (white), clipped.

    What is not a number is black.
    """
    return np.clip(np.nan_to_num(np.asarray(x, float) / data_range + 0.5), 0.0, 1.0)


def images(
    rows: Mapping[str, ArrayLike], *, data_range: float | int = 2.0, columns: int = 12
) -> Figure:
    """Samples as labelled rows of images: column j is the same noise in every row.

    Args:
        rows: label to (batch, height, width) or (batch, height, width, channels).
        data_range: values from -data_range/2 to data_range/2 run from black to white.
        columns: at most this many samples per row.

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


def differences(
    exact: ArrayLike,
    rows: Mapping[str, ArrayLike],
    *,
    data_range: float | int = 2.0,
    columns: int = 6,
) -> Figure:
    """Samples as `images`, with their absolute differences to the exact ones at right.

    Args:
        exact: (batch, height, width[, channels]) exact samples.
        rows: label to a solver's samples from the same noises.
        data_range: as for `images`.
        columns: at most this many samples per row.

    Raises:
        ValueError: as `images`.
    """
    truth = np.asarray(exact, np.float32)[:columns]
    away = {k: np.abs(np.asarray(x)[: len(truth)] - truth) for k, x in rows.items()}
    largest = largest_of(away.values())
    # White where there is no difference, black where it is the largest.
    white = np.full_like(truth, data_range / 2)
    lines: dict[str, np.ndarray] = {"exact": np.concatenate([truth, white])}
    for label, x in rows.items():
        gone = white - data_range * np.clip(np.nan_to_num(away[label] / largest), 0, 1)
        lines[label] = np.concatenate([np.asarray(x, np.float32)[: len(truth)], gone])
    figure = images(lines, data_range=data_range, columns=2 * len(truth))
    middle = figure.axes[len(truth)]
    figure.axes[0].set_title("samples", loc="left", fontsize=9)
    text = middle.annotate(
        f"differences to the exact ones (white 0, black {largest:.2g} or more)",
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(0, 6),
        textcoords="offset points",
        fontsize=9,
    )
    text.set_in_layout(False)  # it is wider than its axis
    for axis in figure.axes[len(truth) : 2 * len(truth)]:
        axis.set_visible(axis is middle)
        axis.set_axis_off()
        axis.images[0].set_visible(False)
    return figure


def largest_of(distances: Iterable[np.ndarray]) -> float:
    """The largest 99 % quantile of several sets; those that diverged do not count."""
    with np.errstate(invalid="ignore"):  # between two infinite values
        found = [
            float(np.quantile(np.nan_to_num(d, nan=np.inf), 0.99)) for d in distances
        ]
    return max((value for value in found if 0 < value < np.inf), default=1.0)


def sheet(x: ArrayLike, *, data_range: float | int = 2.0, columns: int = 8) -> Figure:
    """Samples of one solver as a square sheet without labels.

    Raises:
        ValueError: as `images`.
    """
    whole = np.asarray(x)
    lines = [whole[i : i + columns] for i in range(0, len(whole), columns)]
    if len(lines) > 1 and len(lines[-1]) < columns:
        lines.pop()
    named = {" " * i: line for i, line in enumerate(lines)}
    return images(named, data_range=data_range, columns=columns)


def scatter(exact: ArrayLike, x: ArrayLike, *, title: str = "") -> Figure:
    """Samples as points, each joined to the exact one that starts at the same noise.

    Samples of more than two numbers are drawn in the plane of the exact samples' first
    two principal components, those of one number against their rank.

    Args:
        exact, x: (batch, *shape) exact samples and a solver's.
        title: over the axes.

    Raises:
        ValueError: different shapes, or fewer than two samples.
    """
    true, ours = (
        np.asarray(a, np.float64).reshape(np.shape(a)[0], -1) for a in (exact, x)
    )
    if true.shape != ours.shape or len(ours) < 2:
        raise ValueError(
            "scatter needs two sets of at least two samples and of one shape; got "
            f"{true.shape} and {ours.shape}"
        )
    true, ours, labels = _in_a_plane(true, ours)
    figure = Figure(figsize=(4.0, 3.9), layout="constrained")
    axis = figure.subplots()
    # Drawn as pixels inside a vector figure: hundreds of paths are heavier.
    joins = LineCollection(
        list(np.stack([true, ours], axis=1)), color="0.6", lw=0.6, rasterized=True
    )
    axis.add_collection(joins)
    look = {"ls": "", "rasterized": True}
    axis.plot(
        *true.T, marker="o", ms=3.5, mfc="none", mec="black", label="exact", **look
    )
    axis.plot(*ours.T, marker=".", ms=4, color=FITTED, label="solver", **look)
    axis.set(xlabel=labels[0], ylabel=labels[1])
    axis.set_title(title, fontsize=10)
    # The exact samples set the frame: a diverging sample would shrink all others.
    for limits, values in ((axis.set_xlim, true[:, 0]), (axis.set_ylim, true[:, 1])):
        low, high = values.min(), values.max()
        limits(low - 0.15 * (high - low), high + 0.15 * (high - low))
    axis.grid(alpha=0.3)
    axis.legend(loc="best", fontsize=8)
    return figure


def _in_a_plane(
    true: np.ndarray, ours: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    """Two sets of vectors as points of a plane, and the names of its axes."""
    if true.shape[1] == 2:
        return true, ours, ("first coordinate", "second coordinate")
    if true.shape[1] == 1:
        rank = np.argsort(np.argsort(true[:, 0]))
        true, ours = (np.stack([rank, a[:, 0]], 1) for a in (true, ours))
        return true, ours, ("rank of the exact sample", "value")
    mean = true.mean(0)
    _, _, axes = np.linalg.svd(true - mean, full_matrices=False)
    true, ours = ((a - mean) @ axes[:2].T for a in (true, ours))
    return true, ours, ("first principal component", "second principal component")

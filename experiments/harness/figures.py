"""What figures of the studies need besides `bespoke_jax.plots`.

The only module of the studies that imports matplotlib. Axes, lines, looks and legends
are those of the package (`bj.plots`), so that all figures look alike.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

import bespoke_jax as bj

ERROR = "RMSE to the exact solution (pixels on [-1, 1])"

Points = Mapping[Any, float | None]
"""x to y; a None is left out."""


def lines(
    found: Mapping[str, Points], names: Mapping[str, str] | None = None
) -> dict[str, bj.plots.Line]:
    """Lines by name: by key, or by what `names` calls the keys, in its order."""
    known = {
        name: {x: y for x, y in found[key].items() if y is not None}
        for key, name in (names or {key: key for key in found}).items()
        if key in found
    }
    return {name: bj.plots.Line([*p], [*p.values()]) for name, p in known.items()}


def chart(found: Mapping[str, Mapping[str, Points]], **options: Any) -> Figure:
    """`bj.plots.line_chart` of the points of each panel's lines, by title."""
    panels = {title: lines(each) for title, each in found.items()}
    return bj.plots.line_chart(panels, **options)


def uneven(
    rows: int, widths: tuple[float, ...], size: tuple[float, float]
) -> tuple[Figure, np.ndarray]:
    """A figure of `size` inches and its `(rows, columns)` axes of relative widths."""
    figure = empty(size)
    axes = figure.subplots(rows, len(widths), width_ratios=widths, squeeze=False)
    return figure, axes


def empty(size: tuple[float, float]) -> Figure:
    """A figure of `size` inches without axes."""
    return Figure(figsize=size, layout="constrained")


def ticks(axis: Axis, places: Sequence[float]) -> None:
    """Ticks at these places only, labelled with their numbers."""
    axis.set_ticks(list(places), labels=[f"{place:,g}" for place in places])
    axis.set_ticks([], minor=True)


def sheet(axis: Axes, images: np.ndarray, *, low: float, high: float) -> None:
    """A sheet of grey images, `low` white and `high` black; nan is light grey."""
    shades = colormaps["gray_r"].with_extremes(bad="0.7")
    axis.imshow(images, cmap=shades, vmin=low, vmax=high)


def gallery(axis: Axes, rows: Sequence[np.ndarray]) -> None:
    """Rows of grey images `(count, side, side)` on 0 .. 255, drawn dark on white."""
    side = rows[0].shape[1]
    images = np.full((len(rows) * (side + 1), len(rows[0]) * (side + 1)), np.nan)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = i * (side + 1), j * (side + 1)
            images[top : top + side, left : left + side] = image
    shades = colormaps["gray_r"].with_extremes(bad="white")
    axis.imshow(images, cmap=shades, vmin=0, vmax=255)
    axis.set_xticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def gradation(count: int) -> np.ndarray:
    """Colours of an ordered set of lines, light to dark."""
    return colormaps["viridis_r"](np.linspace(0.12, 1.0, count))


def save(figure: Figure, path: Path) -> None:
    """Write a figure at the resolution of the pages."""
    bj.plots.write(figure, path, dpi=120)

"""Figures of the studies: the only module that uses matplotlib.

Built on `bespoke_jax.plots`, whose figures need no display and no global state. Lines
differ in marker and dash, not in colour alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

import bespoke_jax as bj


class Look(NamedTuple):
    """How a line is drawn."""

    colour: Any
    marker: str = ""
    dash: Any = "-"

    def options(self, **more: Any) -> dict[str, Any]:
        """Options of `Axes.plot`."""
        look = {"color": self.colour, "marker": self.marker, "ls": self.dash, "ms": 5}
        return {**look, **more}


Line = Mapping[Any, float | None]
"""x to y; a None is left out."""


def panels(
    rows: int, columns: int, size: tuple[float, float], **shared: Any
) -> tuple[Figure, np.ndarray]:
    """A figure with `(rows, columns)` axes, `size` inches in all."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def decorate(axis: Axes, **settings: Any) -> None:
    """Settings of `Axes.set` and a grid, with minor lines on logarithmic axes."""
    axis.set(**settings)
    minor = "log" in (settings.get("xscale"), settings.get("yscale"))
    axis.grid(alpha=0.3, which="both" if minor else "major")


def ticks(axis: Axis, places: Sequence[float], form: str = ",g") -> None:
    """Ticks at these places only, labelled with their numbers."""
    axis.set_ticks(list(places), labels=[f"{place:{form}}" for place in places])
    axis.set_ticks([], minor=True)


def draw(
    axis: Axes,
    lines: Mapping[str, Line],
    looks: Mapping[str, Look],
    names: Mapping[str, str] | None = None,
    **options: Any,
) -> None:
    """The lines that have a look, in the order of `looks`, labelled by `names`."""
    for key, look in looks.items():
        points = {x: y for x, y in lines.get(key, {}).items() if y is not None}
        if points:
            label = key if names is None else names[key]
            xs, ys = list(points), list(points.values())
            axis.plot(xs, ys, label=label, **look.options(**options))


def side_by_side(
    found: Mapping[str, Mapping[str, Line]],
    looks: Mapping[str, Look],
    *,
    names: Mapping[str, str] | None = None,
    height: float = 4.4,
    ylabel: str,
    **settings: Any,
) -> tuple[Figure, np.ndarray]:
    """A panel for each title of `found`, with a common y axis and a legend below.

    Args:
        found: title to the lines of its panel, by key.
        looks: of the lines, by key.
        names: of the lines in the legend, by key; without, the keys.
        height: of the figure, in inches.
        ylabel: of the first panel.
        settings: of every panel, as in `decorate`.
    """
    width = max(4 * len(found), 6)
    figure, axes = panels(1, len(found), (width, height), sharey=True)
    for axis, (title, lines) in zip(axes[0], found.items(), strict=True):
        draw(axis, lines, looks, names)
        decorate(axis, title=title, **settings)
    axes[0, 0].set_ylabel(ylabel)
    return figure, axes[0]


def legend(
    figure: Figure, axes: Iterable[Axes], columns: int = 3, **options: Any
) -> None:
    """One legend below the panels, of the panel with the most entries."""
    handles = max(
        (a.get_legend_handles_labels() for a in axes), key=lambda h: len(h[1])
    )
    options = {"fontsize": 8, **options}
    figure.legend(*handles, loc="outside lower center", ncols=columns, **options)


def sheet(axis: Axes, images: np.ndarray, *, low: float, high: float) -> None:
    """A sheet of grey images, `low` white and `high` black; nan is light grey."""
    shades = colormaps["gray_r"].with_extremes(bad="0.7")
    axis.imshow(images, cmap=shades, vmin=low, vmax=high)


def gradation(count: int) -> np.ndarray:
    """Colours of an ordered set of lines, light to dark."""
    return colormaps["viridis_r"](np.linspace(0.12, 1.0, count))


def save(figure: Figure, path: Path) -> None:
    """Write a figure as the package writes its own."""
    bj.plots.write(figure, path)


def gallery(axis: Axes, rows: Sequence[np.ndarray]) -> None:
    """Rows of grey images `(count, side, side)` on 0 .. 255, drawn dark on white."""
    side = rows[0].shape[1]
    sheet = np.full((len(rows) * (side + 1), len(rows[0]) * (side + 1)), np.nan)
    for i, images in enumerate(rows):
        for j, image in enumerate(images):
            top, left = i * (side + 1), j * (side + 1)
            sheet[top : top + side, left : left + side] = image
    shades = colormaps["gray_r"].with_extremes(bad="white")
    axis.imshow(sheet, cmap=shades, vmin=0, vmax=255)
    axis.set_xticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)

"""Charts that figures are made of: panels of lines with bands, bars, one legend.

Each takes numbers by name and returns a matplotlib `Figure`, or draws on one axis of
it. A name has the same look in all panels of a figure.
"""

from collections.abc import Collection, Iterable, Mapping
from textwrap import fill
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike

from bespoke_jax.report.figures import style
from bespoke_jax.report.figures.style import Look

_OUTSIDE: dict = {"lower": "outside lower center", "upper": "outside upper center"}
_HATCHES = ("", "//", "..", "xx", "\\\\", "++")


class Line(NamedTuple):
    """The points of a line, and the edges of a band around it."""

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None


def panels(
    rows: int,
    columns: int,
    *,
    size: tuple[float | int, float | int] = (4.0, 3.4),
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, np.ndarray]:
    """An empty figure with its axes, (rows, columns); `size` is that of one panel."""
    width, height = size[0] * columns, size[1] * rows
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    return figure, axes


def draw(axis: Axes, lines: Mapping[str, Line], looks: Mapping[str, Look]) -> None:
    """Draw lines on an axis; one without points only keeps its place in the legend."""
    for name, line in lines.items():
        look = looks[name]
        axis.plot(np.asarray(line.x), np.asarray(line.y), label=name, **look)
        if line.low is not None and line.high is not None:
            axis.fill_between(
                np.asarray(line.x),
                np.asarray(line.low),
                np.asarray(line.high),
                color=look.get("color"),
                alpha=0.15,
                lw=0,
            )


def dress(
    axis: Axes,
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    log: str = "",
    xticks: Iterable[float | int] | None = None,
) -> None:
    """Labels, scales and grid of an axis.

    Args:
        axis: what is drawn on already.
        title, xlabel, ylabel: its texts; give units.
        log: the axes that are logarithmic, of "x" and "y".
        xticks: the only marks along x, such as the NFE that were run.
    """
    axis.set_title(title, fontsize=10)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if "x" in log:
        axis.set_xscale("log")
    if "y" in log:
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    if xticks is not None:
        ticks = sorted(set(xticks))
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.xaxis.set_minor_locator(NullLocator())
    axis.tick_params(labelsize=9)
    axis.grid(alpha=0.3, which="both")


def legend(
    figure: Figure,
    *,
    columns: int = 3,
    where: Literal["lower", "upper"] = "lower",
    title: str = "",
) -> None:
    """One legend for all axes of a figure, outside of them; each name stands once."""
    found: dict = {}
    for axis in figure.axes:
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    figure.legend(
        list(found.values()),
        list(found),
        loc=_OUTSIDE[where],
        ncols=columns,
        fontsize=9,
        title=title or None,
        title_fontsize=9,
    )


def line_chart(
    figures: Mapping[str, Mapping[str, Line]],
    *,
    xlabel: str,
    ylabel: str,
    log: str = "",
    xticks: Iterable[float | int] | None = None,
    fitted: Collection[str] = (),
    columns: int | None = None,
    sharey: bool = True,
    note: str = "",
) -> Figure:
    """Lines in one or several panels with one legend below.

    Args:
        figures: title of a panel to its lines by name.
        xlabel, ylabel, log, xticks: as for `dress`, alike in all panels.
        fitted: names of fitted solvers, drawn with stars.
        columns: panels per row; None puts all in one row.
        sharey: whether all panels have one scale of y.
        note: over the legend, such as what the bands are.
    """
    columns = columns or len(figures)
    rows = -(-len(figures) // columns)
    figure, axes = panels(rows, columns, sharey=sharey, sharex=rows > 1)
    names = [name for lines in figures.values() for name in lines]
    looks = style.looks(names, fitted)
    for axis, (title, lines) in zip(axes.flat, figures.items(), strict=False):
        draw(axis, lines, looks)
        dress(axis, title=title, log=log, xticks=xticks)
    for axis in axes.flat[len(figures) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel(fill(ylabel, 30))  # as long as a panel is high
    for axis in axes[-1]:
        axis.set_xlabel(xlabel)
    legend(figure, columns=min(4, len(looks)), title=note)
    return figure


def bar_chart(
    groups: Mapping[str, Mapping[str, float | int | None]],
    *,
    xlabel: str,
    log: bool = False,
    mark: float | int | None = None,
) -> Figure:
    """Horizontal bars in groups, each with its value; hatches tell series apart.

    Args:
        groups: label of a group to its values by series; None is left out.
        xlabel: of the values, with units.
        log: whether the values are on a logarithmic axis.
        mark: a value marked by a vertical line, such as 1 for ratios.
    """
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    looks = style.looks(series)
    height = 0.8 / len(series)
    figure, axes = panels(1, 1, size=(6.4, 1.2 + 0.24 * len(groups) * len(series)))
    axis = axes[0, 0]
    for i, name in enumerate(series):
        bars = [
            (place + (i - (len(series) - 1) / 2) * height, group[name])
            for place, group in enumerate(groups.values())
            if group.get(name) is not None
        ]
        drawn = axis.barh(
            *zip(*bars, strict=True), height=height, label=name, edgecolor="white",
            color=looks[name].get("color"), hatch=_HATCHES[i % len(_HATCHES)],
        )  # fmt: skip
        axis.bar_label(drawn, fmt=lambda value: f"{value:.3g}", padding=3, fontsize=8)
    dress(axis, xlabel=xlabel, log="x" if log else "")
    axis.margins(x=0.12)
    axis.grid(visible=False, axis="y")
    axis.set_axisbelow(True)
    axis.set_yticks(range(len(groups)), list(groups))
    axis.invert_yaxis()
    if mark is not None:
        axis.axvline(mark, color="black", lw=0.8, zorder=0)
    if len(series) > 1:
        legend(figure, columns=min(3, len(series)))
    return figure


def points(pairs: Iterable[tuple[float | int, float | int]]) -> Line:
    """A line through (x, y) pairs, in the order of x."""
    ordered = sorted(pairs)
    return Line([x for x, _ in ordered], [y for _, y in ordered])

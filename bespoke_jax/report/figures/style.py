"""Colours, dashes and markers that differ in greyscale too; writing a figure."""

import os
from collections.abc import Collection, Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TypedDict

from matplotlib.figure import Figure

from bespoke_jax.cards import atomic

# Okabe and Ito's set, which the colour-blind can tell apart.
_COLOURS = ("#000000", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_DASHES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), "-")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "d")
FITTED = "#D55E00"
"""The colour of fitted solvers, and of nothing else."""


class Look(TypedDict, total=False):
    """How one line is drawn, as keywords of matplotlib's `Axes.plot`."""

    color: str
    ls: str | tuple
    marker: str
    ms: float
    mec: str
    mfc: str
    zorder: float


def lines() -> Iterator[Look]:
    """One look after another; with 6, 7 and 11 parts they repeat after 462 lines."""
    for colour, dash, marker in zip(
        cycle(_COLOURS), cycle(_DASHES), cycle(_MARKERS), strict=False
    ):
        yield {"color": colour, "ls": dash, "marker": marker, "ms": 5}


def looks(names: Iterable[str], fitted: Collection[str] = ()) -> dict[str, Look]:
    """Name to look: stars where it is in `fitted`, else one of `lines`.

    Several fitted solvers differ in dash, and every other one has hollow stars. The
    look of a name depends on its place among all names, so that several figures which
    are given the same names draw each of them alike.
    """
    given = dict(zip(dict.fromkeys(names), lines(), strict=False))
    star: Look = {
        "color": FITTED, "marker": "*", "ms": 11, "mec": "black", "zorder": 3
    }  # fmt: skip
    stars = [name for name in given if name in fitted]
    for place, name in enumerate(stars):
        hollow: Look = {"mfc": "white"} if place % 2 else {}
        given[name] = {**star, **hollow, "ls": ("-", "--", "-.", ":")[place % 4]}
    return given


def write(
    figure: Figure, path: str | os.PathLike[str], *, dpi: float | int = 150
) -> Path:
    """Write a figure atomically and return its path.

    Args:
        figure: what one of the functions here returned.
        path: the suffix gives the format (.png, .svg, .pdf).
        dpi: dots per inch of a bitmap.
    """
    path = Path(path)
    with atomic.replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:] or "png", dpi=dpi)
    return path

"""Colours, dashes and markers that differ in greyscale too; writing a figure."""

import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

# Okabe and Ito's set, distinguishable by the colour-blind.
_COLOURS = ("#000000", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_DASHES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), "-")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "d")
FITTED = "#D55E00"


def lines() -> Iterator[dict[str, Any]]:
    """Styles of one line after the other; 6, 7 and 11 keep them apart for long."""
    for colour, dash, marker in zip(
        cycle(_COLOURS), cycle(_DASHES), cycle(_MARKERS), strict=False
    ):
        yield {"color": colour, "ls": dash, "marker": marker, "ms": 5}


def write(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure (format by suffix, 150 dots per inch) and return its path."""
    path = Path(path)
    figure.savefig(path, dpi=150)
    return path

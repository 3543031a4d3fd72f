"""Budgets and intervals as they are written on the command line.

This module does not import JAX, so that a misspelt range is refused at once.
"""

import re

import numpy as np

_MOST = 1000
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def budgets(flag: str, text: str) -> tuple[int, ...]:
    """The whole numbers of `8`, `4,6,8`, `3-20` or `3-6,8,12`, increasing.

    Args:
        flag: the name of the flag, for messages.
        text: what was written.

    Raises:
        ValueError: anything else, a number below 1, a range that falls, the same number
            twice, or one above 1000.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([+-]?\d{1,18})\s*(?:-\s*(\d{1,18})\s*)?", part)
        if match is None:
            raise ValueError(
                f"--{flag} must be a number, a list such as 4,6,8 or a range such as "
                f"3-20; got {text!r}"
            )
        low = int(match[1])
        high = low if match[2] is None else int(match[2])
        if low < 1 or high > _MOST:
            raise ValueError(f"--{flag} must lie in 1 .. {_MOST}; got {part.strip()}")
        if high < low:
            raise ValueError(
                f"--{flag}: the range {part.strip()} falls; write {high}-{low}"
            )
        found += range(low, high + 1)
    twice = next((n for n in found if found.count(n) > 1), None)
    if twice is not None:
        raise ValueError(f"--{flag} has {twice} twice; got {text!r}")
    return tuple(sorted(found))


def interval(flag: str, text: str) -> tuple[float, float]:
    """The ends of `0-6` or `1.5-7.5`, with low < high; `-1-2` starts at -1.

    Args:
        flag: the name of the flag, for messages.
        text: what was written.

    Raises:
        ValueError: anything else, with an example.
    """
    match = re.fullmatch(rf"\s*({_NUMBER})\s*-\s*({_NUMBER})\s*", text)
    ends = (float(match[1]), float(match[2])) if match else (np.nan, np.nan)
    if not np.isfinite(ends).all():
        raise ValueError(f"--{flag} must be a range such as 0-6; got {text!r}")
    low, high = ends
    if not low < high:
        raise ValueError(f"--{flag}: the range must rise; got {low:g} to {high:g}")
    return low, high


def spread(low: float, high: float, count: int) -> np.ndarray:
    """(count,) numbers that fill [low, high], in every stretch of them too.

    The two ends, then low + (high - low) (1 - cos(pi u_i)) / 2 with the evenly spread
    u_i = frac((i + 1/2) / phi), i = 0 .. count-3, phi the golden ratio: however few of
    the first are used, they span the interval, and the parts into which paths are
    split, in their order, all see the whole of it. They lie closer towards the ends,
    as Chebyshev's points do, where a polynomial that is fitted to them errs most.

    Source: H. Weyl (1916), equidistribution modulo one; Cohen, Davenport and Leviatan
    (2013), On the stability and accuracy of least squares approximations, section 3.
    """
    turns = (np.arange(max(count - 2, 0)) + 0.5) * (np.sqrt(5) - 1) / 2 % 1
    inner = low + (high - low) * (1 - np.cos(np.pi * turns)) / 2
    return np.concatenate([[low, high], inner])[:count]

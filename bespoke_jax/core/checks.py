"""Arguments that are wrong, said in one sentence: what was expected and what came."""

import difflib
import math
import operator
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def whole(name: str, value: Any, *, least: int = 1, most: int | None = None) -> int:
    """A whole number in `least` .. `most`.

    Raises:
        ValueError: anything else; True and 3.0 are no whole numbers.
    """
    expected = f"a whole number of at least {least}"
    if most is not None:
        expected = f"a whole number in {least} .. {most}"
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be {expected}; got {shown(value)}.") from None
    if number < least or (most is not None and number > most):
        raise ValueError(f"{name} must be {expected}; got {number}.")
    return number


def real(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """A finite number within bounds: above < number < below, least <= number <= most.

    Raises:
        ValueError: anything else; NumPy and JAX scalars are numbers, True is none.
    """
    try:
        if isinstance(value, bool | np.bool_ | str | bytes | complex):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    inside = above < number < below and least <= number <= most
    if not (inside and math.isfinite(number)):
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (
                ("above", above),
                ("at least", least),
                ("below", below),
                ("at most", most),
            )
            if math.isfinite(bound)
        ]
        expected = " and ".join(bounds) or "finite"
        raise ValueError(f"{name} must be a number {expected}; got {shown(value)}.")
    return number


def known(name: str, value: Any, names: Iterable[str]) -> str:
    """One of the known names.

    Raises:
        ValueError: another one, with the nearest known ones.
    """
    names = list(names)
    if not isinstance(value, str) or value not in names:
        near = nearest(value, names) if isinstance(value, str) else []
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(
            f"{name} must be one of {', '.join(names)}; got {shown(value)}.{hint}"
        )
    return value


def nearest(value: str, names: Iterable[str], *, count: int = 3) -> list[str]:
    """The known names most like `value`, best first; none where all are unlike."""
    return difflib.get_close_matches(value, list(names), count, 0.4)


def instance(name: str, value: T, kind: type | tuple[type, ...], expected: str) -> T:
    """A value of a type.

    Raises:
        ValueError: one of another type; `expected` says what it should be.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be {expected}; got {shown(value)}.")
    return value


def shown(value: Any) -> str:
    """A value in few words, for messages."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape != ():
        return f"an array of shape {value.shape}, {value.dtype}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value) and not hasattr(value, "_fields"):
        return f"the function {getattr(value, '__name__', type(value).__name__)}"
    text = repr(value).replace("\n", " ")
    if len(text) > 80 or text.startswith("<"):
        return f"an object of type {type(value).__name__}"
    return text

"""Argument checks whose errors state what was expected and what was given."""

import difflib
import math
import operator
import os
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

import numpy as np

from bespoke_jax.core.protocols import Schedule

if TYPE_CHECKING:
    import jax

    from bespoke_jax.core.types import Arr

T = TypeVar("T")
Kinds = UnionType | tuple[type, ...]


def whole(name: str, value: object, *, least: int = 1, most: int | None = None) -> int:
    """A whole number in `least` .. `most`.

    Raises:
        ValueError: anything else, including True and 3.0.
    """
    expected = f"a whole number of at least {least}"
    if most is not None:
        expected = f"a whole number in {least} .. {most}"
    try:
        if isinstance(value, bool | np.bool_) or not isinstance(value, SupportsIndex):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be {expected}; got {shown(value)}.") from None
    if number < least:
        low = f"a whole number of at least {least}"
        raise ValueError(f"{name} must be {low}; got {number}.")
    if most is not None and number > most:
        raise ValueError(f"{name} must be {expected}; got {number}.")
    return number


def real(
    name: str,
    value: Any,
    *,
    above: float | int = -math.inf,
    least: float | int = -math.inf,
    below: float | int = math.inf,
    most: float | int = math.inf,
) -> float:
    """A finite number within bounds: above < number < below, least <= number <= most.

    Raises:
        ValueError: anything else, including True. NumPy and JAX scalars are accepted.
    """
    try:
        if isinstance(value, bool | np.bool_ | str | bytes | complex) or np.ndim(value):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    inside = above < number < below and least <= number <= most
    if not (inside and math.isfinite(number)):
        expected = _between(above, least, below, most)
        raise ValueError(f"{name} must be {expected}; got {shown(value)}.")
    return number


def _between(
    above: float | int, least: float | int, below: float | int, most: float | int
) -> str:
    """A number within bounds, in words."""
    low = f"({above:g}" if above >= least else f"[{least:g}"
    high = f"{below:g})" if below <= most else f"{most:g}]"
    floor, ceiling = max(above, least), min(below, most)
    if math.isfinite(floor) and math.isfinite(ceiling):
        return f"a number in {low}, {high}"
    if math.isfinite(floor):
        return (
            f"a finite number {'above' if above >= least else 'of at least'} {floor:g}"
        )
    if math.isfinite(ceiling):
        return (
            f"a finite number {'below' if below <= most else 'of at most'} {ceiling:g}"
        )
    return "a finite number"


def known(name: str, value: object, names: Iterable[str]) -> str:
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


def nearest(
    value: str, names: Iterable[str], *, count: int = 3, cutoff: float = 0.4
) -> list[str]:
    """The known names closest to `value`, best first.

    Args:
        value: the misspelt name.
        names: the known names.
        count: names returned at most.
        cutoff: least similarity, from 0 (any name) to 1 (the name itself).
    """
    return difflib.get_close_matches(value, list(names), count, cutoff)


@overload
def instance(name: str, value: object, kind: type[T], expected: str) -> T: ...
@overload
def instance(name: str, value: T, kind: Kinds, expected: str) -> T: ...
def instance(name: str, value: T, kind: type | Kinds, expected: str) -> T:
    """A value of a type (or of one of a union or tuple of types).

    Raises:
        ValueError: one of another type; `expected` says what it should be.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be {expected}; got {shown(value)}.")
    return value


def schedule(name: str, value: object) -> Schedule:
    """A Gaussian path: an object with the six methods of `Schedule`.

    Raises:
        ValueError: anything else, including the class instead of an instance.
    """
    if isinstance(value, type) or not isinstance(value, Schedule):
        raise ValueError(
            f"{name} must be a schedule, such as schedules.VP(); got {shown(value)}."
        )
    return value


def static_schedule(name: str, value: object) -> Schedule:
    """A schedule that compiled code can hold: a hashable one.

    Raises:
        ValueError: as `schedule`, or a schedule that has no hash.
    """
    path = schedule(name, value)
    try:
        hash(path)
    except TypeError:
        raise ValueError(
            f"{name} must be hashable to be compiled once; make "
            f"{type(value).__name__} a frozen dataclass of numbers and tuples."
        ) from None
    return path


def random_key(name: str, value: object) -> "jax.Array":
    """One random key of JAX, of the new or the old style; it may be traced.

    Raises:
        ValueError: anything else.
    """
    import jax

    if isinstance(value, jax.Array):
        if jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
            one = value.ndim == 0
        else:
            one = value.ndim == 1 and value.dtype == np.uint32 and value.size > 1
        if one:
            return value
    raise ValueError(f"{name} must be one jax.random.key(seed); got {shown(value)}.")


def path(name: str, value: object) -> Path:
    """The path of a file or folder.

    Raises:
        ValueError: neither text nor a path, empty, or with a null character.
    """
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ValueError(f"{name} must be the path of a file; got {shown(value)}.")
    if "\0" in str(value):
        raise ValueError(f"{name} holds a null character: {value!r}.")
    return Path(value)


def numbers(name: str, value: Any) -> "Arr":
    """One array of real numbers, of any shape; it may be traced.

    Raises:
        ValueError: anything else.
    """
    try:
        array = value if hasattr(value, "dtype") else np.asarray(value)
        real = _is_real(array.dtype)
    except (TypeError, ValueError):  # ragged
        array, real = value, False
    if not real:
        raise ValueError(f"{name} must be an array of numbers; got {shown(value)}.")
    return array


def _is_real(dtype: Any) -> bool:
    if isinstance(dtype, np.dtype) and dtype.kind != "V":
        return dtype.kind in "fiu"
    import jax.numpy as jnp  # bfloat16 and float8 have kind "V" in NumPy

    return any(jnp.issubdtype(dtype, kind) for kind in (np.floating, np.integer))


def samples(name: str, value: object) -> "Arr":
    """One array of real numbers of shape (batch, *shape); it may be traced.

    Raises:
        ValueError: anything else, or no number in it.
    """
    array = numbers(name, value)
    if array.ndim < 1 or not array.size:
        raise ValueError(
            f"{name} must be an array (batch, *shape) with batch >= 1; got "
            f"{shown(value)}."
        )
    return array


def shown(value: Any) -> str:
    """A short description of a value, for messages."""
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

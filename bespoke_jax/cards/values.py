"""The values that a card can hold, each with the check made when it is read.

An entry of a record is annotated with one of the types below; the check travels in the
annotation, so that the records of `records.py` are the only list of what a card holds.
A check takes the place of a value in the file and the value, returns it, and raises a
`ValueError` that says where it stands, what was expected and what came.
"""

import datetime
import json
import math
from typing import Annotated, Any

import numpy as np

from bespoke_jax.core.checks import nearest

Table = dict[str, Any]
"""An object of JSON."""
JUDGES = ("mean", "median")
_DEPTH = 8  # Scaled(Shifted(...)) is one schedule within a schedule


def number(where: str, value: object, dtype: str = "float64") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where}: expected a number, got {short(value)}")
    try:
        out = float(value)
    except OverflowError:
        out = math.inf
    if not abs(out) <= float(np.finfo(dtype).max):
        raise ValueError(f"{where}: expected a finite {dtype}, got {short(value)}")
    return out


def integer(where: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{where}: expected an integer, got {short(value)}")
    return value


def text(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where}: expected text, got {short(value)}")
    return value


def moment(where: str, value: object) -> str:
    try:
        instant = text(where, value)
        datetime.datetime.fromisoformat(instant)
    except ValueError:
        raise ValueError(
            f"{where}: expected a date and time such as 2025-01-31T12:00:00+00:00, "
            f"got {short(value)}"
        ) from None
    return instant


def table(where: str, value: object) -> Table:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected an object, got {short(value)}")
    return value


def keys(where: str, value: object, known: tuple[str, ...]) -> Table:
    """An object with exactly the known keys."""
    present = table(where, value)
    for key in present:
        if key not in known:
            near = nearest(key, known, count=1, cutoff=0.0)[0]
            raise ValueError(f'{where}: unknown key "{key}"; the nearest is "{near}"')
    for key in known:
        if key not in present:
            raise ValueError(f'{where}: the key "{key}" is missing')
    return present


def short(value: object) -> str:
    """A value in few words, for messages."""
    shown = json.dumps(value, default=repr)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _real(where: str, value: object) -> float | None:
    return None if value is None else number(where, value)


def _measure(where: str, value: object) -> float | None:
    return None if value is None else _not_negative(where, number(where, value))


def _count(where: str, value: object) -> int | None:
    return None if value is None else int(_not_negative(where, integer(where, value)))


def _not_negative(where: str, value: float | int) -> float | int:
    if value < 0:
        raise ValueError(f"{where}: expected a number >= 0, got {value}")
    return value


def _judge(where: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value in JUDGES):
        return value
    known = " or ".join(f'"{judge}"' for judge in JUDGES)
    raise ValueError(f"{where}: expected {known}, got {short(value)}")


def _versions(where: str, value: object) -> dict[str, str]:
    return {k: text(f"{where}.{k}", v) for k, v in table(where, value).items()}


def _schedule(where: str, value: object, depth: int = 0) -> Table | None:
    if value is None:
        return None
    text(f"{where}.name", table(where, value).get("name"))
    for key, entry in table(where, value).items():
        at = f"{where}.{key}"
        if isinstance(entry, dict):
            if depth == _DEPTH:
                raise ValueError(
                    f"{at}: expected at most {_DEPTH} schedules within schedules"
                )
            _schedule(at, entry, depth + 1)
        elif isinstance(entry, list):
            for k, item in enumerate(entry):
                number(f"{at}[{k}]", item)
        elif not (entry is None or isinstance(entry, str | bool)):
            number(at, entry)
    return table(where, value)


Text = Annotated[str, text]
Instant = Annotated[str, moment]
"""ISO 8601."""
Real = Annotated[float | int | None, _real]
Measure = Annotated[float | int | None, _measure]
"""A number >= 0."""
Count = Annotated[int | None, _count]
"""A whole number >= 0."""
Judge = Annotated[str | None, _judge]
Versions = Annotated[dict[str, str] | None, _versions]
ScheduleRecord = Annotated[Table | None, _schedule]
"""{"name": ..., its fields}; a schedule inside is another such object."""

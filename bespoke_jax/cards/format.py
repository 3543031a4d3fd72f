"""The JSON of a card: how it is written, and every check made when it is read.

Format 2, with None for what is not recorded:

    format, format_version, created, versions,
    model, schedule {name, ...}, guidance, family, loss,
    validation {rmse, start_rmse, judge, paths}, ground_truth {rtol, atol, certificate},
    cost {evaluations, seconds}, seed, notes,
    solver {dtype, end, nfe, rows [{t, a, p, q}, ...]}

Format 1 has no judge and no paths in `validation`, and no schedule within a schedule.
Numbers are the shortest decimals that give the same float64 back, hence bitwise.
"""

import datetime
import json
import math
from typing import Any

import numpy as np

from bespoke_jax.core.checks import nearest

FORMAT = "bespoke_jax card"
VERSION = 2

_TEXT = ("model", "family", "loss", "notes")
_GROUPS = {
    "validation": ("rmse", "start_rmse", "judge", "paths"),
    "ground_truth": ("rtol", "atol", "certificate"),
    "cost": ("evaluations", "seconds"),
}
_NEW = {"validation": ("judge", "paths")}
"""What format 1 does not have."""
_JUDGES = ("mean", "median")
_DEPTH = 8
"""Schedules within schedules: Scaled(Shifted(...)) is one."""
_INTEGERS = ("evaluations", "paths", "seed")
_KEYS = (
    "format",
    "format_version",
    "created",
    "versions",
    "model",
    "schedule",
    "guidance",
    "family",
    "loss",
    *_GROUPS,
    "seed",
    "notes",
    "solver",
)


def encode(card: dict[str, Any]) -> str:
    """The text of a card given its fields: one field, or one row of the solver, a line.

    Raises:
        ValueError: a field that is neither text nor numbers nor lists of them.
    """
    solver = card["solver"]
    grouped = {g: {key: card[key] for key in keys} for g, keys in _GROUPS.items()}
    fixed = {"format": FORMAT, "format_version": VERSION, **grouped}
    head = {key: fixed.get(key, card.get(key)) for key in _KEYS if key != "solver"}
    t, a, p, q = (np.asarray(leaf, np.float64).tolist() for leaf in solver[:4])
    rows = [{"t": t[i], "a": a[i], "p": p[i], "q": q[i]} for i in range(len(t))]
    table = {"dtype": str(solver.t.dtype), "end": float(solver.end), "nfe": len(t)}
    return "".join(
        [
            "{\n",
            *(
                f"  {_text_of(key)}: {_text_of(value)},\n"
                for key, value in head.items()
            ),
            '  "solver": {\n',
            *(
                f"    {_text_of(key)}: {_text_of(value)},\n"
                for key, value in table.items()
            ),
            '    "rows": [\n',
            ",\n".join(f"      {_text_of(row)}" for row in rows),
            "\n    ]\n  }\n}\n",
        ]
    )


def _text_of(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"{error}; give text, numbers or lists of numbers") from None


def parse(text: str) -> dict[str, Any]:
    """The checked fields of a card, with `dtype`, `end` and `rows` = (t, a, p, q).

    Raises:
        ValueError: saying where, what was expected and what came.
    """
    try:
        data = json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"expected JSON, got a syntax error at line {error.lineno}, column "
            f"{error.colno} ({error.msg}); is the file complete?"
        ) from None
    except RecursionError:
        raise ValueError("expected a card, got JSON nested too deeply") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        got = data.get("format") if isinstance(data, dict) else data
        raise ValueError(f'expected "format": "{FORMAT}", got {_short(got)}')
    version = _integer("format_version", data.get("format_version"))
    if version > VERSION:
        raise ValueError(
            f"format_version is {version}, this bespoke_jax reads up to {VERSION}; "
            "upgrade bespoke_jax to read this card"
        )
    if version < 1:
        raise ValueError(f"format_version: expected 1 or 2, got {version}")
    _keys("the card", data, _KEYS)
    fields: dict[str, Any] = {key: _text(key, data[key]) for key in _TEXT}
    for group, keys in _GROUPS.items():
        missing = _NEW.get(group, ()) if version == 1 else ()
        _keys(group, data[group], tuple(key for key in keys if key not in missing))
        for key in keys:
            value = data[group].get(key)
            check = _judge if key == "judge" else _measure
            fields[key] = check(f"{group}.{key}", key, value)
    fields["seed"] = _measure("seed", "seed", data["seed"])
    guidance = data["guidance"]
    fields["guidance"] = guidance if guidance is None else _number("guidance", guidance)
    fields["created"] = _instant("created", data["created"])
    fields["versions"] = {
        name: _text(f"versions.{name}", value)
        for name, value in _object("versions", data["versions"]).items()
    }
    fields["schedule"] = _schedule(data["schedule"])
    return {**fields, **_solver(data["solver"])}


def _solver(data: Any) -> dict[str, Any]:
    _keys("solver", data, ("dtype", "end", "nfe", "rows"))
    dtype, end = data["dtype"], _number("solver.end", data["end"])
    if dtype not in ("float32", "float64"):
        raise ValueError(
            f'solver.dtype: expected "float32" or "float64", got {_short(dtype)}'
        )
    if not 0 < end <= 1:
        raise ValueError(f"solver.end: expected a time in (0, 1], got {end}")
    rows, nfe = data["rows"], _integer("solver.nfe", data["nfe"])
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"solver.rows: expected a list of rows, got {_short(rows)}")
    if nfe != len(rows):
        raise ValueError(f"solver.nfe is {nfe}, but there are {len(rows)} rows")
    t, a, p, q = [], [], [], []
    for i, row in enumerate(rows):
        where = f"solver.rows[{i}]"
        _keys(where, row, ("t", "a", "p", "q"))
        t.append(_number(f"{where}.t", row["t"], dtype))
        if not 0 <= t[-1] <= end:
            raise ValueError(
                f"{where}.t: expected a time in [0, end = {end}], got {t[-1]}"
            )
        a.append(_number(f"{where}.a", row["a"], dtype))
        for key, window in (("p", p), ("q", q)):
            values = row[key]
            if not isinstance(values, list):
                raise ValueError(
                    f"{where}.{key}: expected a list, got {_short(values)}"
                )
            if window and len(values) != len(window[0]):
                raise ValueError(
                    f"{where}.{key}: expected {len(window[0])} numbers as in the rows "
                    f"before it, got {len(values)}"
                )
            window.append(
                [_number(f"{where}.{key}[{k}]", v, dtype) for k, v in enumerate(values)]
            )
    return {"dtype": dtype, "end": end, "rows": (t, a, p, q)}


def _schedule(
    data: Any, where: str = "schedule", depth: int = 0
) -> dict[str, Any] | None:
    if data is None:
        return None
    _text(f"{where}.name", _object(where, data).get("name"))
    for key, value in data.items():
        at = f"{where}.{key}"
        if isinstance(value, dict):
            if depth == _DEPTH:
                raise ValueError(
                    f"{at}: expected at most {_DEPTH} schedules within schedules"
                )
            _schedule(value, at, depth + 1)
        elif isinstance(value, list):
            for k, entry in enumerate(value):
                _number(f"{at}[{k}]", entry)
        elif not (value is None or isinstance(value, str | bool)):
            _number(at, value)
    return data


def _judge(where: str, key: str, value: Any) -> str | None:
    if value is not None and value not in _JUDGES:
        known = " or ".join(f'"{judge}"' for judge in _JUDGES)
        raise ValueError(f"{where}: expected {known}, got {_short(value)}")
    return value


def _measure(where: str, key: str, value: Any) -> float | int | None:
    if value is None:
        return None
    number = _integer(where, value) if key in _INTEGERS else _number(where, value)
    if number < 0:
        raise ValueError(f"{where}: expected a number >= 0, got {number}")
    return number


def _number(where: str, value: Any, dtype: str = "float64") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where}: expected a number, got {_short(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) <= float(np.finfo(dtype).max):
        raise ValueError(f"{where}: expected a finite {dtype}, got {_short(value)}")
    return number


def _integer(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{where}: expected an integer, got {_short(value)}")
    return value


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where}: expected text, got {_short(value)}")
    return value


def _instant(where: str, value: Any) -> str:
    try:
        datetime.datetime.fromisoformat(_text(where, value))
    except ValueError:
        raise ValueError(
            f"{where}: expected a date and time such as 2025-01-31T12:00:00+00:00, "
            f"got {_short(value)}"
        ) from None
    return value


def _object(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected an object, got {_short(value)}")
    return value


def _keys(where: str, value: Any, known: tuple[str, ...]) -> None:
    present = _object(where, value)
    for key in present:
        if key not in known:
            near = nearest(key, known, count=1, cutoff=0.0)[0]
            raise ValueError(f'{where}: unknown key "{key}"; the nearest is "{near}"')
    for key in known:
        if key not in present:
            raise ValueError(f'{where}: the key "{key}" is missing')


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" appears twice')
    return data


def _short(value: Any) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""The JSON of a card: how it is written, and what is checked when it is read.

Format 3, with None for what is not recorded:

    format, format_version, created, versions,
    model, schedule {name, ...}, guidance, condition, family, loss,
    validation {rmse, start_rmse, judge, paths}, ground_truth {rtol, atol, certificate},
    cost {evaluations, seconds}, seed, notes,
    solver {dtype, end, nfe, rows [{t, a, p, q}, ...]}

or, in `solver`, the nodes of a conditional one (see `rows.py`). A set of cards has what
they share (created .. condition, seed) once, and a list `budgets` of the rest:

    budgets [{family, loss, validation, ground_truth, cost, notes, solver}, ...]

Formats 1 and 2 have no condition, no nodes and no budgets. Format 1 has no judge and no
paths in `validation`, and no schedule within a schedule.
"""

import json
from collections.abc import Iterable
from typing import Any

from bespoke_jax.cards.records import (
    OF_BUDGET,
    PROVENANCE,
    RECORDS,
    SHARED,
    Card,
    checks_of,
)
from bespoke_jax.cards.rows import from_json, to_json
from bespoke_jax.cards.sets import CardSet
from bespoke_jax.cards.values import Table, integer, keys, short
from bespoke_jax.core.solver import Solver

FORMAT = "bespoke_jax card"
VERSION = 3
_SINCE = {"judge": 2, "paths": 2, "condition": 3, "nodes": 3, "budgets": 3}
"""Format that an entry came with; 1 has the others."""
_LONG = {"solver", "rows", "nodes", "budgets"}
"""Entries that are written over several lines."""


def encode(card: Card | CardSet) -> str:
    """The text of a card or set: one entry, or one row of a solver, in a line.

    Raises:
        ValueError: an entry that is neither text nor numbers nor lists of them.
    """
    data: Table = {"format": FORMAT, "format_version": VERSION}
    if isinstance(card, Card):
        data |= _entries(card, (*PROVENANCE, "solver"))
    else:
        data |= _entries(card.cards[0], SHARED)
        own = (*OF_BUDGET, "solver")
        data["budgets"] = [_entries(budget, own) for budget in card]
    return _lines(data) + "\n"


def parse(text: str) -> Card | CardSet:
    """The checked card or set of a text.

    Raises:
        ValueError: saying where, what was expected and what came.
    """
    data = _json(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        got = data.get("format") if isinstance(data, dict) else data
        raise ValueError(f'expected "format": "{FORMAT}", got {short(got)}')
    version = integer("format_version", data.get("format_version"))
    if version > VERSION:
        raise ValueError(
            f"format_version is {version}, this bespoke_jax reads up to {VERSION}; "
            "upgrade bespoke_jax to read this card"
        )
    if version < 1:
        raise ValueError(f"format_version: expected 1 to {VERSION}, got {version}")
    head = ("format", "format_version")
    if version >= _SINCE["budgets"] and "budgets" in data:
        shared = _known(SHARED, version)
        keys("the set", data, (*head, *shared, "budgets"))
        return _set(data["budgets"], {k: data[k] for k in shared}, version)
    entries = (*_known(PROVENANCE, version), "solver")
    keys("the card", data, (*head, *entries))
    return _card({k: data[k] for k in entries}, version)


def _known(entries: Iterable[str], version: int) -> tuple[str, ...]:
    """Those entries that a version of the format has."""
    return tuple(name for name in entries if _SINCE.get(name, 1) <= version)


def _entries(card: Card, names: Iterable[str]) -> Table:
    found: Table = {name: getattr(card, name) for name in names}
    found |= {name: found[name]._asdict() for name in RECORDS if name in found}
    return found | {"solver": to_json(card.solver)} if "solver" in found else found


def _set(budgets: object, shared: Table, version: int) -> CardSet:
    """The set of checked cards of all entries; one that is broken refuses it."""
    if not isinstance(budgets, list) or not budgets:
        raise ValueError(f"budgets: expected a list of cards, got {short(budgets)}")
    cards, own = [], (*OF_BUDGET, "solver")
    for k, entry in enumerate(budgets):
        try:
            cards.append(_card(shared | keys("the entry", entry, own), version))
        except ValueError as error:
            raise ValueError(f"budgets[{k}]: {error}") from None
    return CardSet(tuple(cards))


def _card(data: Table, version: int) -> Card:
    checks = checks_of(Card)
    entries = {k: check(k, data[k]) for k, check in checks.items() if k in data}
    nested = {k: _record(k, kind, data[k], version) for k, kind in RECORDS.items()}
    solver = from_json(data["solver"], conditional=version >= _SINCE["nodes"])
    if entries.get("condition") and isinstance(solver, Solver):
        raise ValueError(
            f"condition: {short(entries['condition'])} names what a conditional solver "
            'depends on, but this solver depends on nothing; expected ""'
        )
    return Card(solver, **entries, **nested)


def _record(where: str, kind: type, value: object, version: int) -> Any:
    """A nested record of type `kind`."""
    checks = checks_of(kind)
    entries = _known(checks, version)
    data = keys(where, value, entries)
    return kind(**{k: checks[k](f"{where}.{k}", data[k]) for k in entries})


def _json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"expected JSON, got a syntax error at line {error.lineno}, column "
            f"{error.colno} ({error.msg}); is the file complete?"
        ) from None
    except RecursionError:
        raise ValueError("expected a card, got JSON nested too deeply") from None


def _no_duplicates(pairs: list[tuple[str, object]]) -> Table:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise ValueError(f'the key "{twice}" appears twice')
    return data


def _lines(value: object, pad: str = "") -> str:
    """JSON with the long entries of objects, and the items of those, on own lines."""
    inner = pad + "  "
    if isinstance(value, dict) and _LONG.intersection(value):
        parts = (
            f"{_line(k)}: {_lines(v, inner) if k in _LONG else _line(v)}"
            for k, v in value.items()
        )
        first, last = "{}"
    elif isinstance(value, list):  # a long entry
        parts = (_lines(item, inner) for item in value)
        first, last = "[]"
    else:
        return _line(value)
    body = ",\n".join(inner + part for part in parts)
    return f"{first}\n{body}\n{pad}{last}"


def _line(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"{error}; give text, numbers or lists of numbers") from None

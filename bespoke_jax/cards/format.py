"""The JSON of a card: how it is written, and what is checked when it is read.

Format 2, with None for what is not recorded:

    format, format_version, created, versions,
    model, schedule {name, ...}, guidance, family, loss,
    validation {rmse, start_rmse, judge, paths}, ground_truth {rtol, atol, certificate},
    cost {evaluations, seconds}, seed, notes,
    solver {dtype, end, nfe, rows [{t, a, p, q}, ...]}

Format 1 has no judge and no paths in `validation`, and no schedule within a schedule.
"""

import json
from typing import Any

from bespoke_jax.cards.records import PROVENANCE, RECORDS, Card, checks_of
from bespoke_jax.cards.rows import from_json, to_json
from bespoke_jax.cards.values import Table, integer, keys, short

FORMAT = "bespoke_jax card"
VERSION = 2
_NOT_IN_1 = ("judge", "paths")


def encode(card: Card) -> str:
    """The text of a card: one entry, or one row of the solver, in a line.

    Raises:
        ValueError: an entry that is neither text nor numbers nor lists of them.
    """
    head = {"format": FORMAT, "format_version": VERSION}
    for name in PROVENANCE:
        value = getattr(card, name)
        head[name] = value._asdict() if name in RECORDS else value
    table = to_json(card.solver)
    rows = ",\n".join(f"      {_text_of(row)}" for row in table.pop("rows"))
    return (
        "{\n"
        + "".join(f"  {_text_of(k)}: {_text_of(v)},\n" for k, v in head.items())
        + '  "solver": {\n'
        + "".join(f"    {_text_of(k)}: {_text_of(v)},\n" for k, v in table.items())
        + f'    "rows": [\n{rows}\n    ]\n  }}\n}}\n'
    )


def parse(text: str) -> Card:
    """The checked card of a text.

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
        raise ValueError(f"format_version: expected 1 or 2, got {version}")
    keys("the card", data, ("format", "format_version", *PROVENANCE, "solver"))
    entries = {k: check(k, data[k]) for k, check in checks_of(Card).items()}
    nested = {k: _record(k, kind, data[k], version) for k, kind in RECORDS.items()}
    return Card(from_json(data["solver"]), **entries, **nested)


def _record(where: str, kind: type, value: object, version: int) -> Any:
    """A nested record of type `kind`."""
    checks = {
        entry: check
        for entry, check in checks_of(kind).items()
        if version > 1 or entry not in _NOT_IN_1
    }
    data = keys(where, value, tuple(checks))
    return kind(**{k: check(f"{where}.{k}", data[k]) for k, check in checks.items()})


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


def _text_of(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"{error}; give text, numbers or lists of numbers") from None

"""Every card that the project holds loads to the numbers that stand in its file.

`committed/` has cards of all formats, written by the code of their time.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from card_cases import leaves_of, same_bits

from bespoke_jax import card
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.solver import Solver

ROOT = Path(__file__).parents[2]


def cards():
    """All JSON files of the project that say that they are cards."""
    for folder in ("tests", "experiments", "bespoke_jax", "docs"):
        for path in sorted((ROOT / folder).rglob("*.json")):
            if '"format": "bespoke_jax card"' in path.read_text("utf-8")[:200]:
                yield path


CARDS = list(cards())


def entries(path):
    """What the file says of each card: a set has its shared entries for all."""
    raw = json.loads(path.read_text("utf-8"))
    return [raw | own for own in raw.get("budgets", [raw])]


def loaded(path):
    found = card.load(path)
    return list(found) if isinstance(found, card.CardSet) else [found]


def tables(solver):
    """The tables of a card's solver: one, or one for each node."""
    if isinstance(solver, Solver):
        return [solver]
    leaves = [np.asarray(leaf) for leaf in solver.solvers]
    return [Solver._make(x[k] for x in leaves) for k in range(len(solver.nodes))]


def test_all_formats_are_among_them():
    raw = [json.loads(path.read_text()) for path in CARDS]
    versions = [data["format_version"] for data in raw]
    for number, least in ((1, 4), (2, 3), (3, 4)):
        assert versions.count(number) >= least
    kinds = [(len(entries(p)) > 1, isinstance(c[0].solver, Conditional))
             for p, c in zip(CARDS, map(loaded, CARDS), strict=True)]  # fmt: skip
    assert set(kinds) == {(a, b) for a in (False, True) for b in (False, True)}


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_committed_card_loads_bit_for_bit(path):
    for raw, one in zip(entries(path), loaded(path), strict=True):
        stored, found = raw["solver"], tables(one.solver)
        rows = [node["rows"] for node in stored.get("nodes", [stored])]
        for table, numbers in zip(found, rows, strict=True):
            _same_rows(table, numbers, stored)
        if isinstance(one.solver, Conditional):
            nodes = [node["condition"] for node in stored["nodes"]]
            ends = one.solver.low, one.solver.high
            assert np.asarray(one.solver.nodes).tolist() == nodes
            assert ends == (stored["low"], stored["high"])
        _same_entries(one, raw)


def _same_rows(solver, rows, stored):
    for name in ("t", "a", "p", "q"):
        numbers = np.array([row[name] for row in rows], stored["dtype"])
        leaf = getattr(solver, name)
        assert leaf.dtype == numbers.dtype and leaf.tobytes() == numbers.tobytes()
        # The decimals of the file are those numbers, not roundings of them.
        assert leaf.tolist() == [row[name] for row in rows]
    assert float(solver.end) == stored["end"]


def _same_entries(one, raw):
    for name in ("model", "schedule", "guidance", "family", "loss", "seed", "notes"):
        assert getattr(one, name) == raw[name]
    assert one.condition == raw.get("condition", "")
    assert (one.created, one.versions) == (raw["created"], raw["versions"])
    for name in ("validation", "ground_truth", "cost"):
        found = getattr(one, name)._asdict()
        assert {k: v for k, v in found.items() if k in raw[name]} == raw[name]
        assert all(v is None for k, v in found.items() if k not in raw[name])


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_committed_card_can_be_saved_again(path, tmp_path):
    again = card.save(tmp_path / "a.json", card.load(path))
    kept: Any = {"solver": None, "created": "", "versions": None}
    for one, other in zip(loaded(path), loaded(again), strict=True):
        assert all(map(same_bits, leaves_of(one), leaves_of(other)))
        assert one._replace(**kept) == other._replace(**kept)

"""Every card that the project holds loads to the numbers that stand in its file.

`committed/` has cards of both formats, written by the code of their time.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from card_cases import one_card

from bespoke_jax import card

ROOT = Path(__file__).parents[2]


def cards():
    """All JSON files of the project that say that they are cards."""
    for folder in ("tests", "experiments", "bespoke_jax", "docs"):
        for path in sorted((ROOT / folder).rglob("*.json")):
            if '"format": "bespoke_jax card"' in path.read_text("utf-8")[:200]:
                yield path


CARDS = list(cards())


def test_both_formats_are_among_them():
    versions = [json.loads(path.read_text())["format_version"] for path in CARDS]
    assert versions.count(1) >= 4 and versions.count(2) >= 3


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_committed_card_loads_bit_for_bit(path):
    raw, loaded = json.loads(path.read_text("utf-8")), one_card(path)
    rows, solver = raw["solver"]["rows"], loaded.at()
    for name in ("t", "a", "p", "q"):
        stored = np.array([row[name] for row in rows], raw["solver"]["dtype"])
        leaf = getattr(solver, name)
        assert leaf.dtype == stored.dtype and leaf.tobytes() == stored.tobytes()
        # The decimals of the file are those numbers, not roundings of them.
        assert leaf.tolist() == [row[name] for row in rows]
    assert float(solver.end) == raw["solver"]["end"]
    for name in ("model", "schedule", "guidance", "family", "loss", "seed", "notes"):
        assert getattr(loaded, name) == raw[name]
    assert (loaded.created, loaded.versions) == (raw["created"], raw["versions"])
    for name in ("validation", "ground_truth", "cost"):
        entries = getattr(loaded, name)._asdict()
        assert {k: v for k, v in entries.items() if k in raw[name]} == raw[name]
        assert all(v is None for k, v in entries.items() if k not in raw[name])


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_committed_card_can_be_saved_again(path, tmp_path):
    first = one_card(path)
    again = one_card(card.save(tmp_path / "a.json", first))
    for one, other in zip(first.at(), again.at(), strict=True):
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes()
    kept = {"solver": None, "created": "", "versions": None}
    assert again._replace(**kept) == first._replace(**kept)

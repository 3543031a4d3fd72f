"""Files of sets of cards that somebody changed: whole, or refused in one sentence."""

import json

import numpy as np
import pytest
from card_cases import (
    guided,
    guided_solver,
    leaves_of,
    load_set,
    mutate,
    plain,
    same_bits,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bespoke_jax import card


def _set(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(data):
        for key in keys:
            data = data[key]
        data[last] = value

    return change


def _pop(*keys):
    def change(data):
        for key in keys[:-1]:
            data = data[key]
        data.pop(keys[-1])

    return change


NODES = ("budgets", 1, "solver", "nodes")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("budgets", []), r"budgets: expected a list of cards, got \[\]"),
        (_set("budgets", {}), "budgets: expected a list of cards"),
        (_set("budgets", 0, 3), r"budgets\[0\]: the entry: expected an object, got 3"),
        (_set("model", 3), r"budgets\[0\]: model: expected text, got 3"),
        (_set("budgets", 1, "model", "m"), r'budgets\[1\]: the entry: unknown key "mo'),
        (_set("seeds", 1), 'the set: unknown key "seeds"; the nearest is "seed"'),
        (_pop("seed"), 'the set: the key "seed" is missing'),
        (_pop("budgets", 1, "cost"), r'budgets\[1\]: .*the key "cost" is missing'),
        (_set("budgets", 1, "cost", "seconds", -1), r"\[1\]: cost.seconds: expected a"),
        (_set("format_version", 2), 'the card: unknown key "condition"'),
        (_set("condition", ""), ""),
        (_set(*NODES, 3), r"budgets\[1\]: solver.nodes: expected a list of nodes"),
        (_set(*NODES, []), r"solver.nodes: expected a list of nodes, got \[\]"),
        (_set(*NODES, 0, "w", 3), r'solver.nodes\[0\]: unknown key "w"'),
        (_pop(*NODES, 2), "must be the 2 Chebyshev points"),
        (_set(*NODES, 1, "condition", 3.01), "must be the 3 Chebyshev points of"),
        (_set(*NODES, 1, "condition", "3"), r"nodes\[1\].condition: expected a number"),
        (_pop(*NODES, 1, "rows", 3), r"nodes\[1\].rows: expected nfe = 4 rows, got 3"),
        (_set(*NODES, 1, "rows", 0, "t", 2), r"rows\[0\].t: expected a time in \[0, "),
        (
            _set(*NODES, 1, "rows", 0, "q", [1, 1, 0, 0]),
            r"budgets\[1\]: solver: node 1 .*weight on an entry before the start",
        ),
        (_set("budgets", 1, "solver", "low", 6), "low must be below high"),
        (_set("budgets", 1, "solver", "low", True), "solver.low: expected a number"),
        (_set("budgets", 1, "solver", "rows", []), 'solver: unknown key "rows"'),
        (_set("budgets", 1, "solver", "nfe", 2), "expected nfe = 2 rows, got 4"),
    ],
)
def test_one_broken_entry_refuses_the_whole_set(tmp_path, change, says):
    path = card.save(tmp_path / "a.json", guided())
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), "utf-8")
    if not says:
        assert load_set(path)[2].condition == ""
        return
    with pytest.raises(ValueError, match=says) as caught:
        card.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_rows_that_are_not_canonical_are_no_node(tmp_path):
    path = card.save(tmp_path / "a.json", guided_solver(2))
    data = json.loads(path.read_text("utf-8"))
    for row in data["solver"]["nodes"][1]["rows"]:
        row["p"] = [0.0]
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(ValueError, match="canonical form, with no p and 2 numbers q, "):
        card.load(path)


@pytest.mark.parametrize("make", [plain, guided])
def test_sets_of_the_same_budget_or_of_both_kinds_are_refused(tmp_path, make):
    path = card.save(tmp_path / "a.json", make())
    data = json.loads(path.read_text("utf-8"))
    data["budgets"].append(data["budgets"][0])
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(ValueError, match="must differ in NFE; several have "):
        card.load(path)
    row = {"t": 0.0, "a": 1.0, "p": [], "q": [0.999]}
    alone = {"dtype": "float64", "end": 0.999, "nfe": 1, "rows": [row]}
    data["budgets"][-1] = data["budgets"][0] | {"solver": alone}
    path.write_text(json.dumps(data | {"condition": ""}), "utf-8")
    if make is plain:
        assert load_set(path).budgets == (1, 3, 4, 5, 8)
        return
    with pytest.raises(ValueError, match="all of plain solvers or all of conditional"):
        card.load(path)


def test_earlier_formats_know_neither_nodes_nor_budgets(tmp_path):
    for number, what in ((1, guided_solver()), (2, guided_solver()), (2, plain())):
        path = card.save(tmp_path / "a.json", what)
        data = json.loads(path.read_text("utf-8"))
        data["format_version"] = number
        del data["condition"]
        if number == 1:
            data["validation"] = {"rmse": None, "start_rmse": None}
        path.write_text(json.dumps(data), "utf-8")
        with pytest.raises(ValueError, match='unknown key "(nodes|low|high|budgets)"'):
            card.load(path)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), make=st.sampled_from([plain, guided]))
def test_any_damage_is_refused_or_harmless(tmp_path, data, make):
    """Cut, overwritten and deleted bytes never give anything but a whole set."""
    good = tmp_path / f"{make.__name__}.json"
    raw = bytearray((good if good.exists() else card.save(good, make())).read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    kind = data.draw(st.sampled_from(["cut", "overwrite", "delete"]))
    if kind == "cut":
        del raw[at:]
    elif kind == "overwrite":
        raw[at] = data.draw(st.integers(0, 255))
    else:
        del raw[at : at + data.draw(st.integers(1, 20))]
    (tmp_path / "damaged.json").write_bytes(raw)
    try:
        loaded = load_set(tmp_path / "damaged.json")
    except ValueError as error:
        assert "damaged.json" in str(error)
    else:
        assert loaded.budgets == ((3, 4, 5, 8) if make is plain else (2, 4))
        assert all(np.isfinite(leaf).all() for one in loaded for leaf in leaves_of(one))


@pytest.mark.parametrize("make", [plain, guided])
def test_mutated_sets_are_whole_or_refused_in_one_sentence(tmp_path, make):
    good = card.save(tmp_path / "good.json", make()).read_text("utf-8")
    refused = 0
    for seed in range(120):
        data = json.loads(good)
        mutate(data, np.random.default_rng(seed))
        (tmp_path / "m.json").write_text(json.dumps(data), "utf-8")
        try:
            loaded = load_set(tmp_path / "m.json")
        except ValueError as error:
            refused += 1
            first, _, rest = str(error).partition("m.json: ")
            assert str(tmp_path) in first and rest and "\n" not in rest, seed
            assert len(rest) < 400, seed
            continue
        again = load_set(card.save(tmp_path / "again.json", loaded))
        for one, other in zip(loaded, again, strict=True):
            assert all(map(same_bits, leaves_of(one), leaves_of(other))), seed
    assert refused >= 90

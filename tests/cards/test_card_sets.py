"""Sets of cards and conditional solvers: bit for bit, whole, or refused."""

import json
import types
from typing import Any, NamedTuple

import numpy as np
import pytest
from card_cases import (
    Linear,
    card_set,
    guided_solver,
    leaves_of,
    midpoint_solver,
    mutate,
    one_card,
    same_bits,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jaxtyping import TypeCheckError

from bespoke_jax import card, solvers
from bespoke_jax.core.conditional import Conditional, chebyshev
from bespoke_jax.core.solver import Solver

ABOUT = {"model": "digits", "schedule": Linear(), "seed": 3}


def guided(**about) -> card.CardSet:
    return card_set(
        *(guided_solver(n) for n in (4, 2)), condition="guidance", **ABOUT, **about
    )


def plain() -> card.CardSet:
    return card_set(*(solvers.euler(nfe=n) for n in (3, 5, 4, 8)), **ABOUT)


def single() -> card.CardSet:
    return card_set(*(guided_solver(n, np.float32) for n in (2, 3)), **ABOUT)


def load_set(path) -> card.CardSet:
    found = card.load(path)
    assert isinstance(found, card.CardSet)
    return found


def same(one: card.Card, other: card.Card) -> bool:
    bits = map(same_bits, leaves_of(one), leaves_of(other))
    return all(bits) and one._replace(solver=other.solver) == other


def any_(value) -> Any:
    """A value of a wrong type."""
    return value


# Conditional solvers in a card


@st.composite
def conditionals(draw):
    dtype = np.dtype(draw(st.sampled_from(["float32", "float64"])))
    width: Any = 8 * dtype.itemsize
    count, n = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    entry = st.floats(allow_nan=False, allow_infinity=False, width=width)
    end = draw(st.floats(0, 1, exclude_min=True, width=width))
    times = st.floats(0, end, width=width)
    low = draw(st.floats(-1e3, 1e3))
    high = low + draw(st.floats(1e-2, 1e3))
    leaves = Solver(
        draw(arrays(dtype, (count, n), elements=times)),
        draw(arrays(dtype, (count, n), elements=entry)),
        np.zeros((count, n, 0), dtype),
        np.tril(draw(arrays(dtype, (count, n, n), elements=entry))),
        np.full(count, end, dtype),
    )
    return Conditional(low, high, chebyshev(low, high, count), leaves)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(solver=conditionals(), name=st.text())
def test_conditional_solvers_come_back_bitwise(tmp_path, solver, name):
    path = card.save(tmp_path / "a.json", solver, condition=name)
    made, loaded = card.of(solver), one_card(path)
    assert isinstance(loaded.solver, Conditional) and loaded.condition == name
    assert all(map(same_bits, leaves_of(made), leaves_of(loaded)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loaded_conditional_interpolates_to_the_same_bits(tmp_path, dtype):
    solver = guided_solver(3, dtype)
    loaded = one_card(card.save(tmp_path / "a.json", solver, condition="guidance"))
    for w in (0, 1.7, 3, 6.0):
        assert all(map(same_bits, loaded.at(condition=w), solver.at(w)))
        assert all(map(same_bits, loaded.at(3, w), solver.at(w)))


# Sets


@pytest.mark.parametrize("make", [plain, guided, single])
def test_sets_come_back_bitwise_in_one_file(tmp_path, make):
    first = make()
    path = card.save(tmp_path / "a.json", first)
    loaded = load_set(path)
    assert loaded.budgets == first.budgets == tuple(sorted(first.budgets))
    assert len(loaded) == len(first) == len([*loaded])
    kept: Any = {"created": "", "versions": None}
    for nfe, one, other in zip(first.budgets, first, loaded, strict=True):
        assert same(one._replace(**kept), other._replace(**kept))
        assert loaded[nfe] is other and other.rmse == 1 / nfe
        assert other.notes == f"of {nfe}" and other.seed == 3
    text = path.read_text("utf-8")
    assert text.count('\n  "condition":') == 1
    for shared in ("model", "schedule", "created", "versions", "seed", "guidance"):
        assert text.count(f'"{shared}":') == 1
    again = load_set(card.save(tmp_path / "b.json", loaded, notes="new"))
    assert [one.notes for one in again] == ["new"] * len(first)


def test_at_takes_the_solver_of_a_budget():
    several, one = plain(), guided()
    for nfe in several.budgets:
        assert all(map(same_bits, several.at(nfe), several[nfe].at()))
    want = guided_solver(4).at(3.5)
    assert all(map(same_bits, one.at(nfe=4, condition=3.5), want))
    alone = card.CardSet((one[4],))
    assert all(map(same_bits, alone.at(condition=3.5), want))
    assert several.model == "digits" and one.budgets == (2, 4)


RUN = card_set(*map(guided_solver, (1, 2, 3, 4)))
ALONE, GUIDED = card.of(midpoint_solver()), card.of(guided_solver(), condition="weight")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ALONE.at(5), "a solver of 4 NFE, not 5"),
        (lambda: ALONE.at(any_(4.0)), "nfe must be a whole number"),
        (lambda: ALONE.at(condition=2.0), "depends on no condition; leave condition="),
        (lambda: GUIDED.at(), r"depends on weight: give condition=, in 0 \.\. 6"),
        (lambda: GUIDED.at(2, 7), r"fitted for 0 \.\. 6; extrapolation"),
        (lambda: GUIDED.at(3, 2), "a solver of 2 NFE, not 3"),
        (lambda: plain().at(), "solvers of 3, 4, 5, 8 NFE: choose one by nfe="),
        (lambda: plain().at(6), "solvers of 3, 4, 5, 8 NFE, not 6"),
        (lambda: plain()[0], "nfe must be a whole number of at least 1"),
        (lambda: guided().at(2), "depends on guidance: give condition="),
        (
            lambda: card_set(*map(guided_solver, (1, 2, 3, 4)))[9],
            r"1 \.\. 4 NFE, not 9",
        ),
        (lambda: card.CardSet(()), "needs at least one"),
        (lambda: card.CardSet(any_([ALONE])), "cards must be a tuple of cards"),
        (lambda: card.CardSet(any_((midpoint_solver(),))), "must be a card"),
        (lambda: card.CardSet((ALONE, ALONE)), "differ in NFE; several have 4"),
        (
            lambda: card.CardSet((ALONE, card.of(solvers.euler(nfe=2), model="m"))),
            "must have the same model; those of 2 and 4 NFE have 'm' and ''",
        ),
        (
            lambda: card.CardSet((ALONE, GUIDED._replace(condition=""))),
            "all of plain solvers or all of conditional ones",
        ),
        (lambda: card.of(plain(), rmse=0.1), "rmse differs between the budgets"),
        (lambda: card.of(plain(), cost=card.Cost()), "cost differs between the"),
        (lambda: card.of(plain(), moedl="m"), "an entry of a card .*'model'"),
    ],
)
def test_what_a_card_or_set_does_not_have_is_told(call, says):
    with pytest.raises((ValueError, TypeCheckError)) as error:
        call()
    if error.type is ValueError:  # else the annotations of a full run came first
        error.match(says)


# Results of fits for several budgets


class Fit(NamedTuple):
    """What a card reads of a fit."""

    solver: Solver | Conditional
    rmse: float
    start_rmse: float = 0.5
    family: Any = types.SimpleNamespace(name="made up")
    loss: str = "loss"
    judge: str = "median"
    scored: int = 7
    evaluations: int = 11
    history: Any = types.SimpleNamespace(seconds=[0.0, 2.5])


class Many:
    """What `card.save` reads of fits for several budgets."""

    def __init__(self, *fits: Fit) -> None:
        self.fits = {fit.solver.nfe: fit for fit in fits}

    @property
    def budgets(self) -> tuple[int, ...]:
        return tuple(self.fits)

    def __getitem__(self, nfe: int) -> Fit:
        return self.fits[nfe]


@pytest.mark.slow
@pytest.mark.parametrize("make", [guided_solver, lambda n: solvers.euler(nfe=n)])
def test_fits_for_several_budgets_become_a_set(tmp_path, make):
    many = Many(*(Fit(make(n), 1 / n) for n in (2, 3)))
    path = card.save(tmp_path / "a.json", many, model="digits", guidance=1.5)
    loaded = load_set(path)
    assert loaded.budgets == (2, 3) and loaded.model == "digits"
    for nfe in (2, 3):
        one = loaded[nfe]
        assert one.validation == (1 / nfe, 0.5, "median", 7)
        assert one.cost == (11, 2.5) and one.family == "made up"
        assert one.guidance == 1.5
        assert all(map(same_bits, leaves_of(one), leaves_of(card.of(make(nfe)))))


# Files


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


def test_the_file_is_readable(tmp_path):
    """One entry in a line, one row in a line, as deep as it stands."""
    text = card.save(tmp_path / "a.json", guided()).read_text("utf-8")
    assert '\n  "budgets": [\n    {\n      "family": "",\n' in text
    assert '\n      "solver": {\n        "dtype": "float64",\n' in text
    row = '{"t": 0.0, "a": 1.0, "p": [], "q": [0.4995, 0.0]}'
    assert (
        '\n          {\n            "condition": 0.0,\n            "rows": [\n' in text
    )
    assert f"\n              {row},\n" in text


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

"""Sets of cards and conditional solvers: bit for bit, whole, or refused."""

import types
from typing import Any, NamedTuple

import numpy as np
import pytest
from card_cases import (
    card_set,
    guided,
    guided_solver,
    leaves_of,
    load_set,
    midpoint_solver,
    one_card,
    plain,
    same,
    same_bits,
    single,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jaxtyping import TypeCheckError

from bespoke_jax import card, solvers
from bespoke_jax.core.conditional import Conditional, chebyshev
from bespoke_jax.core.solver import Solver


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

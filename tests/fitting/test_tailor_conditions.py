"""`tailor` with a condition: one search for a solver of every number in a range."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from oracles import Mixture, field, random_mixture

import bespoke_jax as bj
from bespoke_jax.cli.ranges import spread
from bespoke_jax.core.norms import rms

OT = bj.schedules.CondOT()
MIXTURE = random_mixture(0)
ONE = Mixture(np.ones(1), MIXTURE.mu[:1], MIXTURE.s[:1])
# One mode guided away from all of them: smooth in w, and exact at no few evaluations.
GUIDED = bj.fields.guide(
    lambda t, x, c: field(OT, ONE)(t, x),
    weak=lambda t, x, c: field(OT, MIXTURE)(t, x),
    weight=lambda c: c["w"],
)
LOW, HIGH = 0.0, 2.0


def noises(w, seed=0):
    x0 = jax.random.normal(jax.random.key(seed), (len(w), MIXTURE.mu.shape[1]))
    return x0, {"w": jnp.asarray(w)}


def tailor(w, condition=None, order: Any = slice(None), **options):
    x0, c = noises(w)
    return bj.tailor(
        GUIDED, x0[order], c=jax.tree.map(lambda leaf: leaf[order], c),
        condition=condition, key=jax.random.key(1), schedule=OT, effort="seconds",
        progress=False, **{"nfe": 3, **options},
    )  # fmt: skip


@pytest.fixture(scope="module")
def one():
    w = spread(LOW, HIGH, 60)
    return tailor(w, w, degree=3)


@pytest.mark.slow
def test_the_search_is_the_same_in_any_order_of_the_samples(one):
    w = spread(LOW, HIGH, 60)
    order = np.argsort(w)
    other = tailor(w, w[order], order, degree=3)
    assert other.solver.low == LOW and other.solver.high == HIGH
    for a, b in zip(
        jax.tree.leaves(one.solver), jax.tree.leaves(other.solver), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_one_fit_is_below_what_needs_no_fit(one):
    for value in (LOW, 0.9, HIGH):
        w = np.full(60, value)
        native = tailor(w)
        x0, c = noises(w, seed=7)
        fresh = bj.reference.solve(GUIDED, x0, c=c, progress=False)

        def error(solver, fresh=fresh):
            solver = jax.tree.map(jnp.asarray, solver)
            x = bj.sample(GUIDED, solver, fresh.x0, c=fresh.c)
            return float(rms(x - fresh.x1).mean())

        free = min(error(native.family.build(s.theta)) for s in native.starts)
        found = error(one.at(value))
        assert found < 0.8 * free


@pytest.mark.slow
def test_the_solver_of_a_number_is_the_one_that_was_scored(one):
    """The last fifth of the paths chose nothing; each is solved for by its own."""
    test = bj.paths.take(one.paths, slice(48, None))
    e = []
    for i, w in enumerate(np.asarray(test.c["w"])):
        sample = bj.paths.take(test, slice(i, i + 1))
        solver = jax.tree.map(jnp.asarray, one.at(w))
        x = bj.sample(GUIDED, solver, sample.x0, c=sample.c)
        e.append(float(rms(x - sample.x1)[0]))
    assert one.scored == len(e) == 12
    # The tables between nodes are within 5e-6 of their largest number.
    assert np.mean(e) == pytest.approx(one.rmse, rel=2e-4)


@pytest.mark.slow
def test_a_number_that_is_missing_or_out_of_range_is_refused(one):
    for make, says in (
        (lambda: one.at(), "give condition="),
        (lambda: one.at(HIGH + 0.1), "extrapolation is not supported"),
        (lambda: one.at(LOW - 0.1), "extrapolation is not supported"),
    ):
        with pytest.raises(ValueError) as error:
            make()
        assert says in str(error.value)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        (np.zeros(9), "condition must be 8 finite numbers, one per sample"),
        (np.tile([0.0, 1.0], 4), "degree 2 needs at least 3 different conditions"),
        (np.full(8, np.inf), "condition must be 8 finite numbers"),
    ],
)
def test_wrong_conditions_are_refused_before_anything_is_spent(condition, says):
    def never(t, x, c=None):
        raise AssertionError("an evaluation")

    x0 = np.zeros((8, 2), np.float32)
    with pytest.raises((ValueError, TypeCheckError)) as error:
        bj.tailor(
            never, x0, nfe=3, key=jax.random.key(0), condition=condition, progress=False
        )
    if error.type is ValueError:
        assert says in str(error.value)


@pytest.mark.slow
def test_a_budget_keeps_the_range(one):
    """Fewer paths than noises, from conditions in rising order."""
    w = np.linspace(LOW, HIGH, 400)
    found = tailor(w, w, evaluations=12_000)
    assert found.evaluations <= 12_000 and found.paths.size < 400
    assert (found.solver.low, found.solver.high) == (LOW, HIGH)
    assert found.rmse < found.start_rmse

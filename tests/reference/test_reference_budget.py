"""`evaluations=` is an upper bound that is kept, and what is spent is what is told."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from reference_cases import counting, noises

import bespoke_jax as bj
from bespoke_jax.core.budget import TooLittle
from bespoke_jax.reference.adaptive import METHODS, solve_each

CONDOT = bj.schedules.CondOT()
FIELD = oracles.field(CONDOT, oracles.random_mixture(0))
X0 = noises(40, jnp.float64)


def _solve(evaluations, x0=X0, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return bj.reference.solve(
            FIELD, x0, evaluations=evaluations, progress=False, **options
        )


@pytest.fixture(scope="module")
def alone():
    """Evaluations of each sample, each solved by itself."""
    ts, tol = jnp.array([0.0, 1.0]), jnp.asarray(1e-5)
    count = lambda x: (
        solve_each(
            FIELD, x, None, ts, tol, tol, method=METHODS["tsit5"], max_steps=4096
        ).evaluations
    )
    return np.concatenate([np.asarray(count(X0[i : i + 1])) for i in range(len(X0))])


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dense", [False, True])
def test_everything_that_is_spent_is_counted(method, dense):
    """One sample, in batches of one: what is computed is what is counted."""
    calls, counted = counting(FIELD)
    paths = bj.reference.solve(
        counted, X0[:1], method=method, dense=dense, jumps=[0.3, 0.6], progress=False
    )
    jax.effects_barrier()
    assert paths.stats.evaluations == sum(calls)


@pytest.mark.slow
def test_evaluations_are_those_of_single_solves(alone):
    calls, counted = counting(FIELD)
    ts, tol = jnp.array([0.0, 1.0]), jnp.asarray(1e-5)
    for i in (0, 7):
        calls.clear()
        solve_each(counted, X0[i : i + 1], None, ts, tol, tol,
                   method=METHODS["tsit5"], max_steps=4096)  # fmt: skip
        jax.effects_barrier()
        assert sum(calls) == alone[i]
    paths = _solve(None, dense=False)
    assert paths.stats.nfe_mean == alone.mean()
    assert paths.stats.nfe_max == alone.max()


@pytest.mark.slow
@pytest.mark.parametrize("dense", [False, True])
def test_a_budget_is_kept(alone, dense):
    for budget in (100, 700, 1500, 3000, 6000, 100_000):
        try:
            paths = _solve(budget, dense=dense)
        except TooLittle as error:
            assert budget < error.least < 20_000
            continue
        assert paths.stats.evaluations <= budget
        assert 2 <= paths.size <= len(X0)
        # The first samples, at their own cost; what is left would not pay for more.
        assert paths.stats.nfe_mean == alone[: paths.size].mean()
        whole = _solve(None, dense=dense)
        np.testing.assert_allclose(paths.x1, whole.x1[: paths.size], atol=1e-12)
        if paths.size < len(X0):
            each = alone.max() + (0 if paths.knots is None else len(paths.knots))
            assert budget - paths.stats.evaluations < each + alone.max()
    assert paths.size == len(X0)


@pytest.mark.slow
@pytest.mark.parametrize("dense", [False, True])
def test_the_least_budget_that_is_named_works(dense):
    budget = 100
    while True:
        try:
            paths = _solve(budget, dense=dense)
            break
        except TooLittle as error:
            assert budget < error.least < 20_000
            budget = error.least
    assert paths.size >= 2 and paths.stats.evaluations <= budget
    assert paths.certificate.samples >= 1


@pytest.mark.slow
def test_a_budget_that_does_not_pay_for_all_says_so():
    with pytest.warns(UserWarning, match=r"pays for \d+ of 40 paths.*would cost about"):
        bj.reference.solve(FIELD, X0, evaluations=2000, dense=False, progress=False)

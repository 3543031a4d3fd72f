"""Multistep ground truth: its error, its cost, dense states, budgets and resuming."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from reference_cases import counting, exact_ends, noises

import bespoke_jax as bj
from bespoke_jax.core.budget import TooLittle
from bespoke_jax.reference import levels
from bespoke_jax.reference.fixed import NotReached
from bespoke_jax.reference.paths import at, rms

VP, END = bj.schedules.VP(), 1 - 1e-3
MIXTURE = oracles.random_mixture(0, std=0.4)
FIELD = oracles.field(VP, MIXTURE)
X0 = noises(12, jnp.float64)
EXACT = exact_ends(VP, MIXTURE, X0, end=END)


def solve(tol: Any = 1e-3, x0: Any = X0, field: Any = FIELD, **options):
    settings = {
        "method": "multistep", "schedule": VP, "end": END, "rtol": tol, "atol": tol,
        "progress": False, "batch_size": 5, **options,
    }  # fmt: skip
    return bj.reference.solve(field, x0, **settings)


@pytest.fixture(scope="module")
def paths():
    return solve()


@pytest.mark.slow
def test_the_error_is_certified_and_falls_with_the_tolerance(paths):
    """Against the exact ends: the bound holds, with no more accuracy than asked for."""
    fine = solve(1e-5, dense=False)
    scale = np.sqrt((EXACT**2).mean())
    for tol, made in ((1e-3, paths), (1e-5, fine)):
        pilots = np.asarray(rms(made.x1[:4] - EXACT[:4]))
        assert (
            pilots.max() <= made.certificate.endpoint <= 2.4 * tol * (1 + 1.5 * scale)
        )
        assert float(rms(made.x1 - EXACT).max()) < 3 * tol * (1 + scale)
    assert fine.stats.nfe_mean > 1.5 * paths.stats.nfe_mean
    assert fine.states is None


@pytest.mark.slow
def test_dense_states_are_on_the_path_between_knots(paths):
    """One velocity per knot, that of the field, and cubic error below the tolerance."""
    assert paths.knots.shape == (paths.stats.nfe_max + 1,)
    want = jax.vmap(FIELD, (0, 1), 1)(paths.knots, paths.states)
    np.testing.assert_allclose(paths.slopes, want, atol=1e-8)
    half = 0.7 * END
    read, _ = at(paths, half)
    exact = exact_ends(VP, MIXTURE, X0, end=half)
    assert float(rms(read - exact).max()) < 3e-3
    assert paths.certificate.interpolation <= 1e-3 * (1 + np.abs(EXACT).max())


@pytest.mark.slow
def test_all_evaluations_are_counted_and_one_program_runs_all_levels():
    calls, counted = counting(FIELD)
    made = solve(field=counted, x0=X0[:9], batch_size=5)
    jax.effects_barrier()
    assert made.stats.evaluations == sum(calls)
    n = made.stats.nfe_max
    assert calls.count(5) == n + 1  # the fifth to ninth sample, in one batch


@pytest.mark.slow
def test_batches_and_conditioning_change_nothing(paths):
    shifted = lambda t, x, c: FIELD(t, x - c[:, None])
    shift = jnp.linspace(-1.0, 1.0, len(X0))
    moved = solve(
        x0=X0 + shift[:, None], field=shifted, c=shift, batch_size=128, rtol=1e-9,
        atol=paths.control.atol * 2,
    )  # fmt: skip
    assert moved.stats.nfe_max >= 24
    few = solve(batch_size=2)
    np.testing.assert_allclose(few.states, paths.states, atol=1e-12)
    np.testing.assert_allclose(
        moved.x1 - shift[:, None], EXACT, atol=20 * paths.control.atol
    )


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_paths(tmp_path, paths, monkeypatch):
    original, runs = levels.march, []

    def interrupted(*args, **options):
        runs.append(args[1].nfe)
        if runs.count(paths.stats.nfe_max) == 3:  # a level, a batch, a batch
            raise KeyboardInterrupt
        return original(*args, **options)

    monkeypatch.setattr(levels, "march", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solve(directory=tmp_path)
    before = len(runs)
    resumed = solve(directory=tmp_path)
    assert len(runs) == before + 1  # the batch that was interrupted, nothing else
    np.testing.assert_array_equal(resumed.states, paths.states)
    np.testing.assert_array_equal(resumed.slopes, paths.slopes)
    assert resumed.certificate == paths.certificate
    assert resumed.stats.evaluations == paths.stats.evaluations
    with pytest.raises(ValueError, match="holds another run .schedule"):
        solve(directory=tmp_path, schedule=bj.schedules.CondOT())


@pytest.mark.slow
def test_a_budget_is_kept_and_the_least_is_named(paths):
    """Pilots may take a half of it; what is left is spent to the last path."""
    x0 = noises(40, jnp.float64)
    whole = solve(x0=x0)
    enough = whole.stats.evaluations - 2 * (whole.stats.nfe_max + 1)
    with pytest.warns(UserWarning, match="pays for 38 of 40 paths"):
        made = solve(x0=x0, evaluations=enough)
    assert made.stats.evaluations == enough and made.size == 38
    np.testing.assert_allclose(made.states, whole.states[:38], atol=1e-12)
    budget = 150
    while True:
        try:
            made = solve(evaluations=budget)
            break
        except TooLittle as error:
            assert budget < error.least < 2 * paths.stats.evaluations
            budget = error.least
    assert 2 <= made.size and made.stats.evaluations <= budget


@pytest.mark.slow
def test_what_is_not_reached_is_said_with_the_way_out():
    rough = lambda t, x: jnp.sign(jnp.sin(40 * x) + jnp.sin(90 * t)[:, None])
    with pytest.raises(NotReached, match='Use method="tsit5"') as error:
        solve(1e-7, field=rough, max_steps=64)
    assert error.value.spent > 4 * (16 * 3 + 24 + 36 + 54)
    assert error.value.tolerance > 1e-7
    for options in ({"times": [0.5]}, {"jumps": [0.5]}):
        with pytest.raises(ValueError, match="need adaptive steps"):
            solve(**options)


@pytest.mark.slow
def test_a_velocity_that_is_infinite_at_the_end_is_not_read():
    """x' = -x / (2 sqrt(1 - t)): x = x_0 exp(sqrt(1 - t) - 1), with infinite slope."""
    field = lambda t, x: -x / (2 * jnp.sqrt(1 - t))[:, None]
    made = solve(2e-2, field=field, end=1.0, schedule=bj.schedules.CondOT())
    assert np.isfinite(made.slopes).all()
    np.testing.assert_allclose(made.x1, X0 * np.exp(-1), atol=0.1)


@pytest.mark.slow
def test_accuracy_by_what_it_is_for(paths):
    """A tenth of the error of the best solver of that budget, on the same mixture."""
    errors = []
    for n in (4, 8):
        made = bj.reference.solve_for(
            FIELD, X0, nfe=n, end=END, schedule=VP, progress=False
        )
        solver = bj.solvers.deis_tab(VP, nfe=n, end=END)
        rival = float(rms(bj.sample(FIELD, solver, X0) - EXACT).mean())
        errors.append(float(rms(made.x1 - EXACT).mean()))
        assert errors[-1] < 0.1 * rival
        assert made.control.atol < 0.1 * rival and made.control.rtol == 0
    assert errors[1] < errors[0]


@pytest.mark.slow
def test_paths_of_numpy_arrays_are_read_at_traced_times(paths):
    plain = jax.tree.map(np.asarray, paths)
    t = jnp.linspace(0.0, END, 7)
    for got, want in zip(at(plain, t), at(paths, t), strict=True):
        np.testing.assert_array_equal(got, want)
    jax.jit(lambda t: at(plain, t))(t[3])

"""What is asked for is computed, and no more; other starts; the way back."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from marks import slowly
from reference_cases import DISCRETE, END, VP, exact_ends, noise_model, noises

import bespoke_jax as bj
from bespoke_jax.reference.paths import at, split, take

CONDOT = bj.schedules.CondOT()
FIELD = oracles.field(CONDOT, oracles.GAUSSIAN)
X0 = noises(12, jnp.float64)
TIGHT = {"rtol": 1e-8, "atol": 1e-8, "progress": False}


def _exact(t, x0=X0, start=0.0):
    return exact_ends(CONDOT, oracles.GAUSSIAN, x0, start, t)


@cache
def solved(**options):
    return bj.reference.solve(FIELD, X0, **TIGHT, **options)


ENDS, SOME = {"dense": False}, {"times": (0.25, 0.5)}


@pytest.mark.slow
def test_end_points_cost_the_solves_and_the_certificate_alone():
    dense, ends, some = solved(), solved(**ENDS), solved(**SOME)
    assert ends.knots is None and ends.states is None and ends.slopes is None
    chex.assert_trees_all_close(ends.x1, dense.x1, rtol=0, atol=1e-13)
    solves = 12 * ends.stats.nfe_mean
    assert ends.stats.evaluations - solves < 8 * 2 * ends.stats.nfe_mean + 60
    assert ends.stats.evaluations < 0.6 * dense.stats.evaluations
    assert some.stats.evaluations == ends.stats.evaluations
    assert ends.certificate.interpolation is None


def test_states_at_given_times_are_exact_there():
    some = solved(**SOME)
    np.testing.assert_array_equal(some.knots, [0.0, 0.25, 0.5, 1.0])
    assert some.slopes is None
    for k, t in enumerate(np.asarray(some.knots)):
        np.testing.assert_allclose(some.states[:, k], _exact(t), atol=1e-6)
    chex.assert_trees_all_equal(some.states[:, -1], some.x1)
    first, last = split(take(some, slice(0, 8)), 0.25)
    chex.assert_trees_all_equal(last.states[1], some.states[7])
    assert first.knots is some.knots


@pytest.mark.parametrize(
    ("options", "has"),
    [
        slowly(ENDS, "end points"),
        (SOME, "states at given times"),
    ],
)
def test_what_needs_dense_paths_says_so(options, has):
    paths, family = solved(**options), bj.families.scale_time(2)
    theta = family.init()
    readers = [
        lambda: at(paths, 0.5),
        lambda: bj.losses.rmse_bound(family, theta, FIELD, paths),
        lambda: bj.losses.lte(family, theta, FIELD, paths),
        lambda: bj.metrics.step_errors(FIELD, bj.solvers.euler(steps=2), paths),
        lambda: bj.metrics.curvature(paths),
        lambda: bj.losses.lipschitz(FIELD, paths, key=jax.random.key(0)),
    ]
    for reader in readers:
        with pytest.raises(ValueError, match=f"needs dense paths.*{has} alone"):
            reader()


@pytest.mark.slow
def test_end_points_serve_what_reads_no_more():
    ends, solver = solved(**ENDS), bj.solvers.rk4(steps=4)
    out = bj.sample(FIELD, solver, ends.x0)
    assert float(bj.metrics.rmse(out, ends.x1)) < 1e-3
    first, last = split(take(ends, np.arange(8)), 0.5)
    assert first.size == last.size == 4 and first.states is None


@pytest.mark.slow
@pytest.mark.parametrize("start", [0.2, 0.6])
def test_a_start_later_than_noise(start):
    x = _exact(start)
    paths = bj.reference.solve(FIELD, jnp.asarray(x), start=start, **TIGHT)
    assert float(paths.start) == start and float(paths.knots[0]) == start
    np.testing.assert_allclose(paths.x1, _exact(1.0), atol=1e-6)
    middle = (start + 1) / 2
    np.testing.assert_allclose(at(paths, middle)[0], _exact(middle), atol=1e-5)
    curve = bj.metrics.curvature(paths)
    chord = (np.asarray(paths.x1) - x) / (1 - start)
    want = np.sqrt(np.mean((np.asarray(paths.slopes[:, 0]) - chord) ** 2, 1)).mean()
    np.testing.assert_allclose(curve.departure[0], want, rtol=1e-6)


@pytest.mark.slow
def test_a_start_on_a_discrete_schedule():
    field = noise_model(DISCRETE, oracles.GAUSSIAN)
    x = jnp.asarray(exact_ends(DISCRETE, oracles.GAUSSIAN, X0, 0.0, 0.4))
    paths = bj.reference.solve(field, x, start=0.4, end=END, dense=False, **TIGHT)
    want = exact_ends(DISCRETE, oracles.GAUSSIAN, X0)
    np.testing.assert_allclose(paths.x1, want, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [VP, DISCRETE], ids=["vp", "discrete"])
def test_the_way_back(schedule):
    field = noise_model(schedule, oracles.GAUSSIAN)
    x1 = jnp.asarray(exact_ends(schedule, oracles.GAUSSIAN, X0))
    back = bj.reference.invert(field, x1, end=END, **TIGHT)
    np.testing.assert_allclose(back, X0, atol=3e-6)
    there = bj.reference.solve(field, back, end=END, dense=False, **TIGHT).x1
    np.testing.assert_allclose(there, x1, atol=3e-6)
    part = jnp.asarray(exact_ends(schedule, oracles.GAUSSIAN, X0, 0.0, 0.5))
    back = bj.reference.invert(field, x1, start=0.5, end=END, **TIGHT)
    np.testing.assert_allclose(back, part, atol=3e-6)


def test_a_solver_of_few_evaluations_inverts_as_well():
    reversed_field = lambda t, x: -FIELD(1 - t, x)
    x1 = jnp.asarray(_exact(1.0))
    error = lambda steps: float(
        jnp.abs(bj.sample(reversed_field, bj.solvers.rk4(steps=steps), x1) - X0).max()
    )
    assert error(20) < 1e-4
    assert 12 < error(10) / error(20) < 24  # order 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": -0.1}, "start must be a number in"),
        ({"start": 0.5, "end": 0.5}, "start must be a number in"),
        ({"times": [0.5, 0.2]}, "increasing"),
        ({"times": [0.5, 1.2]}, "times must lie in"),
        ({"times": [0.1], "start": 0.3}, "times must lie in"),
        ({"max_steps": 0}, "max_steps"),
    ],
)
def test_requests_out_of_range_are_explained(options, words):
    with pytest.raises(ValueError, match=words):
        bj.reference.solve(FIELD, X0, progress=False, **options)


def test_samples_that_notice_each_other_are_refused():
    with pytest.raises(ValueError, match="not independent"):
        bj.reference.solve(
            lambda t, x: x - x.mean(0, keepdims=True), X0, progress=False
        )

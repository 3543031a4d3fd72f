"""Gauss-Newton's gradient and curvature against the Jacobian of the whole solve."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jaxtyping import TypeCheckError
from tailor_cases import END, FAMILY, FIELD, SCHEDULE, ends, tailor, theta, weights

import bespoke_jax as bj
from bespoke_jax.core.calls import as_field
from bespoke_jax.fitting import gauss_newton
from bespoke_jax.fitting.data import Data

FEW = Data(bj.paths.take(ends(), slice(0, 24)))
SHIFTED = as_field(lambda t, x, c: FIELD(t, x - c))


@functools.cache
def point():
    return gauss_newton.solved(FAMILY, theta(), FIELD, FEW)


def equations(data=FEW, at=None, f: Any = FIELD, **options):
    """(gradient, H) with all probes that a sample has numbers."""
    given = gauss_newton.solved(FAMILY, theta(), f, data) if at is None else at
    settings = {"key": jax.random.key(1), "probes": 3, **options}
    return gauss_newton.normal_equations(FAMILY, given, f, data, **settings)


@functools.cache
def jacobian():
    """(N, 3, p) of x_n by theta, forward mode through the whole solve."""
    flat, unravel = ravel_pytree(theta())
    run = lambda flat: bj.sample(FIELD, FAMILY.build(unravel(flat)), FEW.paths.x0)
    return np.asarray(jax.jit(jax.jacfwd(run))(flat))


def residuals():
    x = bj.sample(FIELD, FAMILY.build(theta()), FEW.paths.x0)
    return np.asarray(x - FEW.paths.x1)


@pytest.mark.slow
@pytest.mark.parametrize("c", [math.inf, 0.05])
def test_gradient_and_curvature_are_those_of_the_jacobian(c):
    J, r = jacobian(), residuals()
    e = np.sqrt((r**2).mean(1))
    np.testing.assert_allclose(point().errors, e, rtol=1e-10)
    w = weights(e, c)
    gradient, H = equations(at=point(), c=c)
    exact = np.einsum("n,ndp,nd->p", w, J, r)
    np.testing.assert_allclose(gradient, exact, rtol=1e-8, atol=1e-10)
    exact = np.einsum("n,ndp,ndq->pq", w, J, J)
    np.testing.assert_allclose(H, exact, rtol=1e-8, atol=1e-10)
    # It is the gradient of the loss times d: e_i is the RMS of d numbers.
    loss = lambda move: gauss_newton.robust(
        np.sqrt(((r + J @ move) ** 2).mean(1)), c
    ).sum()
    for k, unit in enumerate(1e-6 * np.eye(J.shape[2])):
        slope = (loss(unit) - loss(-unit)) / 2e-6
        assert gradient[k] == pytest.approx(3 * slope, rel=1e-5, abs=1e-6)


@pytest.mark.slow
def test_few_probes_keep_the_gradient_and_estimate_the_curvature():
    exact, H = equations(at=point())
    drawn = []
    for seed in range(100):
        gradient, one = equations(at=point(), probes=2, key=jax.random.key(seed))
        np.testing.assert_allclose(gradient, exact, rtol=1e-9, atol=1e-11)
        drawn.append(one)
    error = np.mean(drawn, 0) - H
    noise = np.std(drawn, 0) / math.sqrt(len(drawn))
    assert np.all(np.diag(noise) > 0)  # two of three directions are not all of them
    assert np.all(np.abs(error) <= 5 * noise + 1e-12)
    assert np.mean(np.abs(error)) <= 1.2 * np.mean(noise)


def test_the_robust_loss_has_the_weights_that_the_step_uses():
    e = np.array([0.01, 0.1, 1.0])
    rho = gauss_newton.robust
    slope = lambda c: (rho(e + 1e-6, c) - rho(e - 1e-6, c)) / 2e-6
    np.testing.assert_allclose(slope(0.05) / e, weights(e, 0.05), rtol=1e-6)
    np.testing.assert_allclose(slope(math.inf) / e, weights(e), rtol=1e-6)


@pytest.mark.slow
def test_batches_do_not_matter():
    """Nor does what fills the last one up."""
    gradient, H = equations(at=point())
    for size in (5, 24, 500):
        at = gauss_newton.solved(FAMILY, theta(), FIELD, FEW, batch_size=size)
        np.testing.assert_allclose(at.errors, point().errors, rtol=1e-10)
        ours, also = equations(at=at, batch_size=size)
        np.testing.assert_allclose(ours, gradient, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(also, H, rtol=1e-9, atol=1e-11)
    # Without its solves, a point is solved for again.
    ours, also = equations(at=point()._replace(runs=()))
    np.testing.assert_allclose(ours, gradient, rtol=1e-12)
    np.testing.assert_allclose(also, H, rtol=1e-12)


@pytest.mark.slow
def test_conditioning_is_carried_along():
    """To the solves, the derivatives and every batch."""
    c = 0.1 * jnp.arange(24.0)[:, None] * jnp.ones((1, 3))
    moved = Data(FEW.paths._replace(c=c))
    at = gauss_newton.solved(FAMILY, theta(), SHIFTED, moved)
    x = bj.sample(SHIFTED, FAMILY.build(theta()), moved.paths.x0, c=c)
    np.testing.assert_allclose(
        at.errors, bj.metrics.errors(x, moved.paths.x1), rtol=1e-10
    )
    whole = equations(moved, at, SHIFTED)
    cut = equations(moved, f=SHIFTED, batch_size=7, at=at._replace(runs=()))
    for ours, theirs in zip(cut, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
    # A sum over samples: that of the first half and that of the second.
    halves = [
        Data(bj.paths.take(moved.paths, s)) for s in (slice(0, 12), slice(12, 24))
    ]
    each = [equations(half, f=SHIFTED) for half in halves]
    for total, *parts in zip(whole, *each, strict=True):
        np.testing.assert_allclose(sum(parts), total, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
@pytest.mark.parametrize("c", [math.inf, 0.05])
def test_samples_that_diverge_have_no_weight(bad, c):
    """1e200 is a number, of which the error is none."""
    lost = FEW.paths._replace(x1=FEW.paths.x1.at[3].set(bad))
    at = gauss_newton.solved(FAMILY, theta(), FIELD, Data(lost))
    assert np.isinf(at.errors[3]) and np.isfinite(np.delete(at.errors, 3)).all()
    rest = np.delete(np.arange(24), 3)
    kept = Data(bj.paths.take(FEW.paths, rest))
    for ours, theirs in zip(
        equations(Data(lost), at, c=c), equations(kept, c=c), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def descended(family, steps):
    """The mean error after some plain steps, and where they end."""
    data, at, damping = Data(ends()), family.init(), 1e-2
    at = gauss_newton.solved(family, at, FIELD, data)
    for k in range(steps):
        gradient, H = gauss_newton.normal_equations(
            family, at, FIELD, data, key=jax.random.key(k)
        )
        flat, unravel = ravel_pytree(at.theta)
        diagonal = np.diag(np.diag(H) + 1e-12 * np.trace(H))
        for _ in range(6):
            move = np.linalg.solve(H + damping * diagonal, -gradient)
            tried = gauss_newton.solved(family, unravel(flat + move), FIELD, data)
            if tried.errors.mean() < at.errors.mean():
                at, damping = tried, damping / 4
                break
            damping *= 4
    return at


@pytest.mark.slow
def test_scale_time_solvers_take_the_same_steps():
    family = bj.families.scale_time(2, base="euler", end=END)
    start = gauss_newton.errors(family, family.init(), FIELD, Data(ends())).mean()
    assert descended(family, 6).errors.mean() < 0.75 * start


@pytest.mark.slow
def test_learned_times_are_those_of_a_search():
    grid = bj.grids.log_snr(3, SCHEDULE, END)
    make = lambda times: bj.solvers.ddim(SCHEDULE, nfe=3, grid=times, end=END)
    family = bj.families.timesteps(make, grid)
    found = descended(family, 15)

    def loss(z):
        return gauss_newton.errors(family, {"t": z}, FIELD, Data(ends())).mean()

    around = np.linspace(-1.5, 1.5, 9)
    tried = [loss(found.theta["t"] + jnp.array([x, y])) for x in around for y in around]
    assert found.errors.mean() <= min(tried) * (1 + 1e-3)


def test_too_few_probes_are_refused():
    with pytest.raises((ValueError, TypeCheckError)) as error:
        tailor(ends(), probes=1)
    if error.type is ValueError:
        error.match("probes must be a whole number of at least 2; got 1")

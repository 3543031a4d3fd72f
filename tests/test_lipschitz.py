"""The measured Lipschitz constant: known norms, and the bound it makes true."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from oracles import GAUSSIAN, field, gaussian_paths
from test_scale_time import perturbed

import bespoke_jax as bj
from bespoke_jax import losses
from bespoke_jax.families import scale_time
from bespoke_jax.paths import Paths

pytestmark = pytest.mark.slow  # power iterations along paths

SCHEDULE, END = bj.schedules.Cosine(), 0.98
FIELD = field(SCHEDULE, GAUSSIAN)
PATHS = gaussian_paths(SCHEDULE, GAUSSIAN, 4, END, knots=65)


def gaussian_norm(t):
    """du/dx = (alpha' alpha s^2 + sigma' sigma) / (alpha^2 s^2 + sigma^2), times I."""
    (a, s), (da, ds) = SCHEDULE(t), SCHEDULE.rates(t)
    std = GAUSSIAN.s[0]
    return np.abs(da * a * std**2 + ds * s) / (a**2 * std**2 + s**2)


def measured(**options):
    return losses.lipschitz(FIELD, PATHS, key=jax.random.key(0), **options)


def linear(m, t, x, c):
    flat = x.reshape(x.shape[0], -1) @ m.T
    return jnp.reshape(c[:, None] * (1 + t[:, None]) * flat, x.shape)


def test_norm_of_a_linear_field():
    """c (1 + t) M x on samples of shape (2, 3): norm max|c| (1 + t) |M|_2."""
    m = jax.random.normal(jax.random.key(1), (6, 6))
    c = jnp.array([0.5, -2.0, 1.0])
    knots = jnp.linspace(0.0, 1.0, 5)
    states = jnp.zeros((3, 5, 2, 3))
    paths = Paths(states[:, 0], states[:, -1], c, knots, states, states, 1.0)
    got = losses.lipschitz(
        Partial(linear, m), paths, key=jax.random.key(2), iterations=200
    )
    want = 2 * (1 + knots) * jnp.linalg.norm(m, 2)
    chex.assert_trees_all_close(got.norms, want, rtol=1e-9)
    assert float(got.largest) == pytest.approx(float(want[-1]))
    first = losses.lipschitz(
        Partial(linear, m), paths, key=jax.random.key(2), iterations=200, samples=1
    )
    chex.assert_trees_all_close(first.norms, want / 4, rtol=1e-9)


def test_the_estimate_rises_from_below():
    m = jax.random.normal(jax.random.key(1), (6, 6))
    states = jnp.zeros((1, 2, 6))
    paths = Paths(states[:, 0], states[:, -1], jnp.ones(1), jnp.array([0.0, 1.0]),
                  states, states, 1.0)  # fmt: skip
    norms = [
        float(
            losses.lipschitz(
                Partial(linear, m), paths, key=jax.random.key(3), iterations=k
            ).norms[0]
        )
        for k in (1, 4, 100)
    ]
    assert norms[0] < norms[1] < norms[2] <= float(jnp.linalg.norm(m, 2)) * (1 + 1e-12)


def test_norm_of_the_gaussian_field():
    got = measured()
    chex.assert_trees_all_close(got.norms, gaussian_norm(got.times), atol=1e-12)
    between = jnp.array([[0.1234, 0.5], [0.77, END]])
    chex.assert_trees_all_close(got(between), gaussian_norm(between), atol=1e-3)


def test_bound_holds_with_the_measured_constant():
    """Equation 27, 30 solvers: at the largest norm and, closer, at each time's own."""
    norms, family = measured(), scale_time(3, end=END)
    report = jax.jit(
        lambda theta: losses.tightness(family, theta, FIELD, PATHS, measured=norms)
    )
    for seed in range(30):
        ratios = report(perturbed(family, seed, 0.5))
        assert 1 <= ratios.along <= ratios.constant
    theta = family.init()
    ratios = report(theta)
    bound = jax.jit(
        lambda theta, l_tau: losses.rmse_bound(family, theta, FIELD, PATHS, l_tau=l_tau)
    )
    assert float(ratios.constant * ratios.rmse) == pytest.approx(
        float(bound(theta, norms.largest))
    )
    assert float(ratios.paper * ratios.rmse) == pytest.approx(float(bound(theta, 1.0)))


def test_arguments_out_of_range_are_explained():
    with pytest.raises(
        ValueError, match="iterations must be a whole number of at least 1; got 0"
    ):
        measured(iterations=0)

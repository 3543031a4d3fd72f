"""The exact field of a mixture: NumPy and JAX agree, and it is the flow's velocity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bespoke_jax as bj
from bespoke_jax.fields.analytic import Mixture, posterior_means

MIXTURE = bj.fields.random_mixture(0, dim=3, modes=4)
X = np.random.default_rng(1).normal(size=(5, 3))


def test_posterior_means_are_those_of_bayes_rule():
    """Against E[x_1 | x] by summing over the modes of a mixture of points."""
    points = MIXTURE._replace(s=np.zeros(4))
    alpha, sigma = 0.6, 0.8
    x_1, x_0 = posterior_means(points, X, np.array(alpha), np.array(sigma))
    like = np.exp(-np.sum((X[:, None] - alpha * MIXTURE.mu) ** 2, -1) / 2 / sigma**2)
    want = like @ MIXTURE.mu / like.sum(1, keepdims=True)
    np.testing.assert_allclose(x_1, want, atol=1e-12)
    np.testing.assert_allclose(alpha * np.asarray(x_1) + sigma * np.asarray(x_0), X)


@pytest.mark.parametrize("schedule", [bj.schedules.VP(), bj.schedules.CondOT()])
def test_the_field_is_the_velocity_of_its_endpoints(schedule):
    t = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    (alpha, sigma), (d_alpha, d_sigma) = schedule(t), schedule.rates(t)
    x_1, x_0 = posterior_means(MIXTURE, X, alpha, sigma)
    field = bj.fields.mixture_field(schedule, MIXTURE)
    got = jax.jit(lambda f, t, x: f(t, x))(field, jnp.asarray(t), jnp.asarray(X))
    want = d_alpha[:, None] * np.asarray(x_1) + d_sigma[:, None] * np.asarray(x_0)
    np.testing.assert_allclose(got, want, atol=1e-11)


def test_one_mode_is_the_closed_form():
    """x_t = alpha mu + sqrt(alpha^2 s^2 + sigma^2) y with y constant along a path."""
    schedule = bj.schedules.CondOT()
    one = Mixture(np.ones(1), np.array([[0.5, -0.3, 0.1]]), np.array([0.6]))
    y = jnp.asarray(X)

    def path(t):
        alpha, sigma = schedule(t)
        return alpha * one.mu + jnp.sqrt((alpha * 0.6) ** 2 + sigma**2) * y

    x, v = jax.jvp(path, (0.4,), (1.0,))
    got = bj.fields.mixture_field(schedule, one)(0.4, x)
    np.testing.assert_allclose(got, v, atol=1e-12)


def test_equal_fields_are_compared_by_schedule():
    first, second = (bj.fields.mixture_field(bj.schedules.VP(), MIXTURE) for _ in "ab")
    assert first.func == second.func
    with pytest.raises((ValueError, TypeError), match="schedule"):
        bj.fields.mixture_field(3, MIXTURE)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"got \(3,\), \(4, 3\) and \(4,\)"):
        bj.fields.mixture_field(bj.schedules.VP(), MIXTURE._replace(w=np.ones(3)))
    with pytest.raises(ValueError, match="at least 0; got -1"):
        bj.fields.random_mixture(-1)

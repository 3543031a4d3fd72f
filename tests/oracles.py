"""Velocity fields whose flow map is known in closed form, or to 12 digits.

For x_t = alpha_t x_1 + sigma_t x_0 with data x_1 ~ sum_k w_k N(mu_k, s_k^2 I), the
posterior means E[x_1 | x_t] and E[x_0 | x_t] are closed forms, hence so is the exact
velocity u = alpha' E[x_1 | x] + sigma' E[x_0 | x]. With one component the flow map
itself is closed: x_t = alpha_t mu + sqrt(alpha_t^2 s^2 + sigma_t^2) y with y constant
along each path.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from bespoke_jax.paths import Paths


class Mixture(NamedTuple):
    """Weights (modes,), means (modes, dim), standard deviations (modes,)."""

    w: Any
    mu: Any
    s: Any


def random_mixture(
    seed: int, dim: int = 2, modes: int = 3, std: float = 0.3
) -> Mixture:
    rng = np.random.default_rng(seed)
    return Mixture(
        np.full(modes, 1.0 / modes),
        rng.standard_normal((modes, dim)),
        np.full(modes, std),
    )


GAUSSIAN = Mixture(np.ones(1), np.array([[0.5, -0.3]]), np.array([0.6]))


def posterior_means(mixture: Mixture, x, alpha, sigma):
    """(E[x_1 | x], E[x_0 | x]) for x (batch, dim), alpha and sigma (batch,)."""
    w, mu, s = (jnp.asarray(leaf, x.dtype) for leaf in mixture)
    dim = x.shape[-1]
    alpha, sigma = alpha[:, None], sigma[:, None]
    v = alpha**2 * s[None] ** 2 + sigma**2  # (batch, modes)
    centred = x[:, None, :] - alpha[:, :, None] * mu[None]
    log_r = jnp.log(w)[None] - 0.5 * dim * jnp.log(v)
    log_r = log_r - 0.5 * jnp.sum(centred**2, -1) / v
    r = jax.nn.softmax(log_r, axis=-1)[:, :, None]
    x1 = jnp.sum(r * (mu[None] + (alpha * s[None] ** 2 / v)[:, :, None] * centred), 1)
    x0 = jnp.sum(r * (sigma / v)[:, :, None] * centred, 1)
    return x1, x0


def _velocity(schedule, mixture, t, x, c=None):
    del c
    t = jnp.broadcast_to(jnp.asarray(t, x.dtype), (x.shape[0],))
    alpha, sigma = schedule(t)
    d_alpha, d_sigma = schedule.rates(t)
    x1, x0 = posterior_means(mixture, x, alpha, sigma)
    return d_alpha[:, None] * x1 + d_sigma[:, None] * x0


class _Exact:
    """Hashable by schedule, so that equal oracles share compiled code."""

    def __init__(self, schedule):
        self.schedule = schedule

    def __eq__(self, other):
        return isinstance(other, _Exact) and self.schedule == other.schedule

    def __hash__(self):
        return hash(("exact", self.schedule))

    def __call__(self, mixture, t, x, c=None):
        return _velocity(self.schedule, mixture, t, x, c)


def field(schedule, mixture: Mixture):
    """The exact velocity field of a mixture under a schedule, as a Partial."""
    return Partial(_Exact(schedule), mixture)


def gaussian_flow(schedule, mixture: Mixture, x, start, end):
    """Exact flow map of a one-component mixture from time start to time end."""
    assert len(mixture.w) == 1
    mu, s = mixture.mu[0][None], mixture.s[0]
    (a, sig), (b, tau) = schedule(jnp.asarray(start)), schedule(jnp.asarray(end))
    ratio = jnp.sqrt((b * s) ** 2 + tau**2) / jnp.sqrt((a * s) ** 2 + sig**2)
    return b * mu + ratio * (x - a * mu)


def gaussian_paths(schedule, mixture: Mixture, size: int, end: float, knots: int = 257):
    """Paths of the closed-form flow, dense enough for the interpolation to be exact."""
    x0 = jax.random.normal(jax.random.key(0), (size, mixture.mu.shape[1]))
    times = jnp.linspace(0.0, end, knots)

    @jax.jit
    def solve(u, times):
        flow = lambda t: gaussian_flow(schedule, mixture, x0, 0.0, t)
        states = jax.vmap(flow, out_axes=1)(times)
        return states, jax.vmap(u, (0, 1), 1)(times, states)

    states, slopes = solve(field(schedule, mixture), times)
    return Paths(x0, states[:, -1], None, times, states, slopes, jnp.asarray(end))

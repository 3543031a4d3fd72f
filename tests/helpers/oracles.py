"""Velocity fields whose flow map is known in closed form, or to 12 digits.

The fields are those of `fields.analytic`. With one component the flow map
is closed: x_t = alpha_t mu + sqrt(alpha_t^2 s^2 + sigma_t^2) y with y constant along
each path.
"""

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.fields.analytic import Mixture, posterior_means, random_mixture
from bespoke_jax.fields.analytic import mixture_field as field
from bespoke_jax.reference.paths import Paths

__all__ = [
    "GAUSSIAN",
    "Mixture",
    "field",
    "gaussian_flow",
    "gaussian_paths",
    "posterior_means",
    "random_mixture",
]


GAUSSIAN = Mixture(np.ones(1), np.array([[0.5, -0.3]]), np.array([0.6]))


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
    times = jnp.asarray(np.linspace(0.0, end, knots))

    @jax.jit
    def solve(u, times):
        flow = lambda t: gaussian_flow(schedule, mixture, x0, 0.0, t)
        states = jax.vmap(flow, out_axes=1)(times)
        return states, jax.vmap(u, (0, 1), 1)(times, states)

    states, slopes = solve(field(schedule, mixture), times)
    return Paths(x0, states[:, -1], None, times, states, slopes, jnp.asarray(end))

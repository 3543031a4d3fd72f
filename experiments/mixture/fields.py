"""Exact velocity fields of Gaussian mixtures, and the benchmark's models.

For x_t = alpha_t x_1 + sigma_t x_0 with data x_1 ~ sum_k w_k N(mu_k, s_k^2 I), the
posterior means E[x_1 | x_t] and E[x_0 | x_t] are closed forms, hence so is the exact
velocity u = alpha' E[x_1 | x] + sigma' E[x_0 | x]. Computed in the dtype of x.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

import bespoke_jax as bj


class Mixture(NamedTuple):
    """Weights (modes,), means (modes, dim), standard deviations (modes,)."""

    w: Any
    mu: Any
    s: Any


def random_mixture(
    seed: int, dim: int = 2, modes: int = 3, std: float = 0.3
) -> Mixture:
    """Equal weights, standard-normal centres."""
    rng = np.random.default_rng(seed)
    return Mixture(
        np.full(modes, 1.0 / modes),
        rng.standard_normal((modes, dim)),
        np.full(modes, std),
    )


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


@dataclass(frozen=True)
class _Exact:
    # Compared by schedule, so that equal fields share compiled code.
    schedule: Any

    def __call__(self, mixture, t, x, c=None):
        del c
        t = jnp.broadcast_to(jnp.asarray(t, x.dtype), (x.shape[0],))
        alpha, sigma = self.schedule(t)
        d_alpha, d_sigma = self.schedule.rates(t)
        x1, x0 = posterior_means(mixture, x, alpha, sigma)
        return d_alpha[:, None] * x1 + d_sigma[:, None] * x0


def field(schedule: Any, mixture: Mixture) -> Partial:
    """The exact velocity field of a mixture under a schedule."""
    return Partial(_Exact(schedule), mixture)


def model(name: str, mixture: Mixture, *, end: float = 1 - 1e-3) -> bj.Model:
    """The mixture on the VP path with linear beta."""
    schedule = bj.schedules.VP()
    dim = mixture.mu.shape[1]
    return bj.Model(
        field(schedule, mixture), (dim,), end=end, schedule=schedule, name=name
    )


def benchmark(seed: int) -> bj.Model:
    """One of the benchmark's mixtures: 8-D, 6 modes, standard deviation 0.15."""
    return model(f"mixture-{seed}", random_mixture(seed, dim=8, modes=6, std=0.15))

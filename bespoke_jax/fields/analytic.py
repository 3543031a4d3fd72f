"""Exact velocity fields of Gaussian mixtures, for tests, certificates and experiments.

For data x_1 ~ sum_k w_k N(mu_k, s_k^2 I) on the path x = alpha x_1 + sigma x_0, with
v_k = alpha^2 s_k^2 + sigma^2 and r_k(x) proportional to w_k N(x; alpha mu_k, v_k I),

    E[x_1 | x] = sum_k r_k (mu_k + alpha s_k^2 / v_k (x - alpha mu_k)),
    E[x_0 | x] = sum_k r_k sigma / v_k (x - alpha mu_k),

and the velocity is u = alpha' E[x_1 | x] + sigma' E[x_0 | x].
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from bespoke_jax.core import checks
from bespoke_jax.core.calls import to_batch
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Arr, BatchTime, Conditioning, State, Times


class Mixture(NamedTuple):
    """A mixture of K isotropic normal laws in d dimensions."""

    w: Arr
    """(K,) weights, positive and of sum 1."""
    mu: Arr
    """(K, d) means."""
    s: Arr
    """(K,) standard deviations, not negative; 0 is a single point."""


def random_mixture(
    seed: int, *, dim: int = 2, modes: int = 3, std: float | int = 0.3
) -> Mixture:
    """A mixture of equal weights and widths whose means are standard normal.

    Args:
        seed: of NumPy's generator.
        dim, modes: d and K.
        std: s of every mode.

    Raises:
        ValueError: a number out of range.
    """
    rng = np.random.default_rng(checks.whole("seed", seed, least=0))
    modes = checks.whole("modes", modes, most=2**20)
    dim = checks.whole("dim", dim, most=2**20 // modes)
    return Mixture(
        np.full(modes, 1.0 / modes),
        rng.standard_normal((modes, dim)),
        np.full(modes, checks.real("std", std, least=0)),
    )


def posterior_means(
    mixture: Mixture, x: Arr, alpha: Times, sigma: Times
) -> tuple[Arr, Arr]:
    """E[x_1 | x] and E[x_0 | x] in the dtype of x, for NumPy and JAX arrays.

    Args:
        mixture: the law of the data.
        x: (batch, d) states.
        alpha, sigma: () or (batch,), the path at the time of x.

    Returns:
        (batch, d) each.
    """
    xp = jnp if isinstance(x, jax.Array) else np
    w, mu, s = (xp.asarray(leaf, x.dtype) for leaf in mixture)
    alpha, sigma = (xp.reshape(value, (-1, 1)) for value in (alpha, sigma))
    v = alpha**2 * s[None] ** 2 + sigma**2  # (batch, K)
    centred = x[:, None] - alpha[..., None] * mu[None]  # (batch, K, d)
    log_r = xp.log(w)[None] - 0.5 * x.shape[1] * xp.log(v)
    log_r = log_r - 0.5 * xp.sum(centred**2, -1) / v
    r = xp.exp(log_r - xp.max(log_r, 1, keepdims=True))
    r = (r / xp.sum(r, 1, keepdims=True))[..., None]
    x_1 = xp.sum(r * (mu[None] + (alpha * s[None] ** 2 / v)[..., None] * centred), 1)
    x_0 = xp.sum(r * (sigma / v)[..., None] * centred, 1)
    return x_1, x_0


def mixture_field(schedule: Schedule, mixture: Mixture) -> Partial:
    """The exact velocity field of a mixture on the path of a schedule.

        u(t, x) = alpha'_t E[x_1 | x] + sigma'_t E[x_0 | x]

    Raises:
        ValueError: not a schedule, or one that is not hashable; a mixture whose arrays
            do not fit together.
    """
    path = checks.static_schedule("schedule", schedule)
    return Partial(_Exact(path), _checked(mixture))


def _checked(mixture: Mixture) -> Mixture:
    w, mu, s = checks.instance("mixture", mixture, Mixture, "a fields.Mixture")
    for name, leaf in (("w", w), ("mu", mu), ("s", s)):
        checks.numbers(f"mixture.{name}", leaf)
    shapes = np.shape(w), np.shape(mu), np.shape(s)
    ranks = tuple(map(len, shapes))
    if ranks != (1, 2, 1) or not shapes[0] == shapes[2] == shapes[1][:1]:
        raise ValueError(
            "a mixture needs w (K,), mu (K, d) and s (K,); got "
            f"{shapes[0]}, {shapes[1]} and {shapes[2]}."
        )
    return mixture


@dataclass(frozen=True)
class _Exact:
    """Compared by schedule, so that equal fields share compiled code."""

    schedule: Schedule

    def __call__(
        self, mixture: Mixture, t: BatchTime, x: State, c: Conditioning = None
    ) -> jax.Array:
        del c
        t = to_batch(t, x).astype(x.dtype)
        x_1, x_0 = posterior_means(mixture, x, *self.schedule(t))
        d_alpha, d_sigma = self.schedule.rates(t)
        return d_alpha[:, None] * x_1 + d_sigma[:, None] * x_0

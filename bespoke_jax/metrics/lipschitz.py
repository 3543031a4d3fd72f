"""The Lipschitz constant of a field along its own paths, by power iteration.

L_tau of the RMSE-bound loss stands for the Lipschitz constant of x -> u(t, x): near a
path, the spectral norm of J = du/dx. Each iteration v <- J^T J v / |J^T J v| costs one
product with J (`jvp`) and one with its transpose (`vjp`), and |J v| of the unit vector
v rises to the norm of J from below. In RMS norms it is the same number.

Reference: Shaul et al. (2024), arXiv 2310.19075, appendix D, where L_tau is set to 1.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from bespoke_jax.core import checks
from bespoke_jax.core.calls import as_field, evaluate, per_sample
from bespoke_jax.core.norms import rms
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.reference.paths import Paths, require_dense, take


class Lipschitz(NamedTuple):
    """Spectral norms of du/dx along paths; as a function, of time."""

    times: jax.Array
    """(K + 1,) the knots of the paths."""
    norms: jax.Array
    """(K + 1,) the largest norm over the samples at each of them."""

    @property
    def largest(self) -> jax.Array:
        """() The norm for all times, the paper's L_tau."""
        return jnp.max(self.norms)

    def __call__(self, t: jax.Array) -> jax.Array:
        """Norms at times t of any shape, linear between the knots."""
        return jnp.interp(t, self.times, self.norms)


def lipschitz(
    field: VelocityField,
    paths: Paths,
    *,
    key: jax.Array,
    iterations: int = 16,
    samples: int = 64,
) -> Lipschitz:
    """Estimate the Lipschitz constant of x -> u(t, x) at the knots of the paths.

    Costs (K + 1) samples (2 iterations + 1) network evaluations with derivatives. The
    estimate is a lower bound, because iterations and paths are finite; where the
    field is singular at the data end, so is the norm there.

    Args:
        field: the velocity field.
        paths: ground truth of it.
        key: source of the first vectors v.
        iterations: of the power method, at least 1.
        samples: paths used, the first ones; all of them if there are fewer.

    Returns:
        Norms by knot; pass them, or their `largest`, as `l_tau` of `rmse_bound`.

    Raises:
        ValueError: iterations or samples below 1.
    """
    checks.random_key("key", key)
    iterations = checks.whole("iterations", iterations)
    require_dense(paths, "lipschitz")
    paths = take(paths, slice(0, checks.whole("samples", samples)))
    times = jnp.asarray(paths.knots, paths.states.dtype)
    norms = _norms(as_field(field), times, paths.states, paths.c, key, iterations)
    return Lipschitz(times, norms)


@partial(jax.jit, static_argnames="iterations")
def _norms(field, times, states, c, key, iterations):
    tiny = jnp.finfo(states.dtype).tiny

    def at_knot(knot):
        t, x, key = knot
        u = lambda x: evaluate(field, t, x, c)
        # Samples are independent: one product serves the whole batch.
        forward = lambda v: jax.jvp(u, (x,), (v,))[1]
        _, backward = jax.vjp(u, x)
        unit = lambda v: v / per_sample(jnp.maximum(rms(v), tiny), v)
        power = lambda _, v: unit(backward(forward(v))[0])
        v = unit(jax.random.normal(key, x.shape, x.dtype))
        v = jax.lax.fori_loop(0, iterations, power, v)
        return jnp.max(rms(forward(v)))

    knots = (times, jnp.swapaxes(states, 0, 1), jax.random.split(key, times.size))
    return jax.lax.map(at_knot, knots)


__all__ = ["Lipschitz", "lipschitz"]

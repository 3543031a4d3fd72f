"""The knots of dense states, shared by all samples.

They follow the steps that the adaptive solver takes on a few samples, the pilots. Their
number is the smallest for which the error of cubic Hermite interpolation, half-way
between knots, is below the tolerance.
"""

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.calls import velocity
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import magnitude, rms
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.reference.paths import Paths, at

FINE = 256
"""Intervals at which the pilots are recorded."""
MOST = 128
"""Knot intervals at most."""
_COUNTS = (16, 32, 64, MOST)  # tried in turn


def fine_times(accepted: Arr, first: float, last: float) -> np.ndarray:
    """FINE + 1 times from first to last, dense where the accepted steps are.

    accepted: (pilots, steps) times of accepted steps, inf where there are no more. F(t)
    is the mean share of steps taken before t; between fine times it grows equally.
    """
    paths = [np.append(first, row[np.isfinite(row)]) for row in to_host(accepted)]
    times = np.unique(np.concatenate(paths))
    shares = [np.interp(times, p, np.linspace(0.0, 1.0, p.size)) for p in paths]
    fine = np.interp(np.linspace(0.0, 1.0, FINE + 1), np.mean(shares, 0), times)
    fine[0], fine[-1] = first, last
    return fine


def choose(
    field: VelocityField,
    c: Conditioning,
    times: np.ndarray,
    states: np.ndarray,
    rtol: float,
    atol: float,
) -> tuple[np.ndarray, float, int]:
    """The fewest knots whose half-way Hermite error stays below the tolerance.

    Args:
        field, c: the field and the conditioning of the pilots.
        times: (FINE + 1,) times of the field.
        states: (pilots, FINE + 1, *shape) states of the pilots there.

    Returns:
        Indices into `times`, the error half-way between them, evaluations spent.
    """
    x0, scale = states[:, 0], magnitude(states)
    slopes: dict[int, jax.Array] = {}
    knots, error = np.zeros(0, int), np.inf
    for count in _COUNTS:
        knots = np.arange(0, FINE + 1, FINE // count)
        for k in sorted(set(knots.tolist()) - set(slopes)):
            t = jnp.asarray(times[k], states.dtype)
            slopes[k] = velocity(field, t, states[:, k], c)
        v = np.stack([slopes[k] for k in knots.tolist()], axis=1)
        ends = jnp.asarray(x0), jnp.asarray(states[:, -1])
        coarse = Paths(*ends, c, times[knots], states[:, knots], v)
        half = (knots[1:] + knots[:-1]) // 2
        between, _ = at(coarse, times[half])
        error = float(_farthest(between, states[:, half]))
        if error <= atol + rtol * scale:
            break
    return knots, error, len(slopes) * len(x0)


@jax.jit
def _farthest(between: jax.Array, states: Arr) -> jax.Array:
    """The largest distance of states (m, N, *shape) from (N, m, *shape) ones."""
    return jax.vmap(rms)(jnp.swapaxes(between, 0, 1) - states).max()

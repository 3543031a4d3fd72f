"""The rounding noise of a field's velocity, from fourth differences.

Along a line x + k h v the fourth difference of a smooth velocity is of size h^4 and
vanishes; what stays is noise, amplified by sqrt(70). Two spacings see two kinds: one of
1e-3 of the state's size lies beyond the spacing of bfloat16 and float16 numbers, one of
1e-5 beyond that of float32.

Reference: Moré and Wild (2011), Estimating Computational Noise, section 2 (ECnoise),
with one difference order.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.batches import rows
from bespoke_jax.core.calls import velocity
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import magnitude
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.types import Arr, Conditioning

_COARSE, _FINE = 1e-3, 1e-5
_LOW_PRECISION = 1e-5
"""Relative noise above which the field computes in less than float32."""
_OFFSETS = np.concatenate([np.arange(-2, 3) * _COARSE, [-2 * _FINE, -_FINE],
                           [_FINE, 2 * _FINE]])  # fmt: skip
_DIFFERENCE = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / np.sqrt(70.0)

COST = 2 * len(_OFFSETS)
"""Network evaluations of `rounding`."""


class Rounding(NamedTuple):
    """Noise of the velocity of one sample, the larger one of two times."""

    noise: float
    """RMS over the numbers of the sample."""
    relative: float
    """Of the RMS velocity, or of the velocity that crosses the state in the interval
    where that is larger: a small velocity may be the difference of large terms."""
    probe: np.ndarray
    """Velocities of the sample at both times: tells one field from another."""

    @property
    def low_precision(self) -> bool:
        """Whether the field computes in less than float32."""
        return self.relative > _LOW_PRECISION


def rounding(
    field: VelocityField, x0: Arr, c: Conditioning, start: float, end: float
) -> Rounding:
    """Measure the rounding noise at the start and half-way, on the first sample.

    Raises:
        ValueError: a field that is not finite there.
    """
    x, c = jax.tree.map(
        lambda leaf: jnp.repeat(leaf, COST, axis=0), rows((x0, c), np.array([0]))
    )
    size = magnitude(x[0])
    ahead = np.random.default_rng(0).standard_normal(x.shape[1:])
    step = np.tile(_OFFSETS, 2).reshape(-1, *(1,) * (x.ndim - 1))
    x = x + jnp.asarray(size * step * ahead[None], x.dtype)
    times = np.repeat([start, start + (end - start) / 2], len(_OFFSETS))
    u = to_host(velocity(field, jnp.asarray(times, x.dtype), x, c)).astype(np.float64)
    if not np.isfinite(u).all():
        bad = times[~np.isfinite(u).reshape(COST, -1).all(1)][0]
        raise ValueError(
            f"the field is not finite at t = {bad:.3g} on the first of x0. Check the "
            "weights, or a prediction that divides by alpha = 0 there "
            "(fields.from_prediction)."
        )
    found = [_noise(each, size / abs(end - start)) for each in np.split(u, 2)]
    noise, relative = max(found, key=lambda pair: pair[1])
    return Rounding(noise, relative, u[2 :: len(_OFFSETS)])


def _noise(u: np.ndarray, least: float) -> tuple[float, float]:
    """(noise, noise / velocity) of the velocities at the nine offsets."""
    # The coarse five, and the fine four around the same centre.
    coarse, fine = u[:5], np.concatenate([u[5:7], u[2:3], u[7:]])
    size = max(magnitude(u), least, 1e-300)
    noise = lambda v: magnitude(np.tensordot(_DIFFERENCE, v, 1))
    relative = [noise(v) / size for v in (coarse, fine)]
    worst = relative[0] if relative[0] > _LOW_PRECISION else relative[1]
    return worst * size, worst

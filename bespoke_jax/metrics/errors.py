"""How far samples are from the exact ones that start at the same noise.

The norm is the papers': per-sample RMS over all non-batch axes,
e_i = sqrt(mean over pixels of (x_i - y_i)^2).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer

from bespoke_jax.core import checks
from bespoke_jax.core.norms import rms
from bespoke_jax.core.types import Scalar, State


def errors(x: State, y: State) -> jax.Array:
    """Per-sample RMS differences e_i, shape (batch,), in the data's units.

    Computed in float32 or better; sums and differences of equal arrays are exactly 0.

    Raises:
        ValueError: x or y is not an array of numbers (batch, *shape), or their shapes
            differ. The other functions of this module raise it too.
    """
    x, y = checks.samples("x", x), checks.samples("y", y)
    if x.shape != y.shape:
        raise ValueError(f"x and y must have one shape; got {x.shape} and {y.shape}.")
    return _errors(x, y)


@jax.jit
def _errors(x, y):
    dtype = jnp.promote_types(jnp.result_type(x, y), jnp.float32)
    difference = jnp.asarray(x, dtype) - jnp.asarray(y, dtype)
    return rms(difference)


def rmse(x: State, y: State) -> jax.Array:
    """Mean over samples of e_i, scalar: L_RMSE of the papers.

    Shaul et al., 2023, arXiv 2310.19075, equation 6.
    """
    return jnp.mean(errors(x, y))


def psnr(x: State, y: State, *, data_range: Scalar = 2.0) -> jax.Array:
    """Peak signal-to-noise ratio in dB, 20 log10(data_range / rmse); inf if equal.

    Args:
        x, y: (batch, *shape) samples and the exact ones.
        data_range: largest minus smallest value of the data, 2 for [-1, 1].
    """
    if not isinstance(data_range, Tracer):
        data_range = checks.real("data_range", data_range, above=0)
    return 20 * jnp.log10(data_range / rmse(x, y))


def flip_rate(x: State, y: State, *, fraction: Scalar = 0.1) -> jax.Array:
    """Share of samples with an error e_i above a fraction of the samples' spread.

    The bound is `fraction` times the median distance (RMS) of independent exact
    samples, taken as neighbours in the batch. Near a boundary between modes any solver
    of few steps sends some samples to the wrong one; their errors are of the order of
    that distance and dominate the mean.

    Raises:
        ValueError: fewer than two samples.
    """
    e = errors(x, y)
    if e.size < 2:
        raise ValueError(f"flip_rate needs at least 2 samples; got {e.size}.")
    if not isinstance(fraction, Tracer):
        fraction = checks.real("fraction", fraction, above=0)
    apart = jnp.median(errors(y, jnp.roll(jnp.asarray(y), 1, axis=0)))
    return jnp.mean(e > fraction * apart)


class Summary(NamedTuple):
    """Errors of a set of samples in the data's units."""

    mean: float
    low: float
    """Lower end of the bootstrap confidence interval of the mean."""
    high: float
    median: float
    p95: float
    """95th percentile."""
    flip_rate: float


def summary(
    x: State,
    y: State,
    *,
    key: jax.Array,
    resamples: int = 1000,
    level: float = 0.95,
) -> Summary:
    """RMSE of samples x to the exact y, with a confidence interval and quantiles.

    Args:
        x, y: (batch, *shape) samples and the exact ones.
        key: source of the bootstrap's resamples.
        resamples: how many; each draws the batch's errors with replacement.
        level: of the percentile interval, in (0, 1).

    Raises:
        ValueError: fewer than two samples, or a number out of range.

    Reference: Efron (1979), bootstrap methods.
    """
    resamples = checks.whole("resamples", resamples, most=10**6)
    level = checks.real("level", level, above=0, below=1)
    checks.random_key("key", key)
    e = errors(x, y)
    draw = lambda key: jnp.mean(jax.random.choice(key, e, e.shape))
    means = jax.lax.map(draw, jax.random.split(key, resamples))
    low, high = jnp.quantile(means, jnp.array([(1 - level) / 2, (1 + level) / 2]))
    return Summary(
        mean=float(jnp.mean(e)),
        low=float(low),
        high=float(high),
        median=float(jnp.median(e)),
        p95=float(jnp.quantile(e, 0.95)),
        flip_rate=float(flip_rate(x, y)),
    )

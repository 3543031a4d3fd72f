"""How far samples are from the exact ones that start at the same noise.

The norm is the papers': per-sample RMS over all non-batch axes,
e_i = sqrt(mean over pixels of (x_i - y_i)^2).
"""

import jax
import jax.numpy as jnp

from bespoke_jax._types import Scalar, State


@jax.jit
def errors(x: State, y: State) -> jax.Array:
    """Per-sample RMS differences e_i, shape (batch,), in the data's units.

    Computed in float32 or better; sums and differences of equal arrays are exactly 0.
    """
    dtype = jnp.promote_types(jnp.result_type(x, y), jnp.float32)
    difference = jnp.asarray(x, dtype) - jnp.asarray(y, dtype)
    return jnp.sqrt(jnp.mean(difference**2, axis=tuple(range(1, difference.ndim))))


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
    return 20 * jnp.log10(data_range / rmse(x, y))

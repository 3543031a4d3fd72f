"""How far samples are from the exact ones that start at the same noise.

The norm is the papers': per-sample RMS over all non-batch axes,
e_i = sqrt(mean over pixels of (x_i - y_i)^2).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from bespoke_jax._types import Arr, Scalar, State


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


def frechet(x: Float[Arr, "n d"], y: Float[Arr, "m d"]) -> float:
    """Frechet distance between the normal laws fitted to two sets of features.

        |mu_x - mu_y|^2 + tr(C_x + C_y - 2 (C_x^{1/2} C_y C_x^{1/2})^{1/2})

    On the host in float64: the square roots of small eigenvalues lose half of float32's
    digits. Covariances have n - 1 below; from finite samples the distance is biased
    upwards, so compare sets of one size.

    Args:
        x, y: n and m feature vectors, at least 2 of each.

    Raises:
        ValueError: fewer than two vectors, or vectors of different lengths.

    Reference: Dowson and Landau (1982); Heusel et al. (2017), arXiv 1706.08500.
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if (
        a.ndim != 2
        or b.ndim != 2
        or a.shape[1] != b.shape[1]
        or min(len(a), len(b)) < 2
    ):
        raise ValueError(
            "frechet compares two sets of at least two feature vectors, (n, d) and "
            f"(m, d); got {a.shape} and {b.shape}."
        )
    c_a, c_b = (np.atleast_2d(np.cov(v, rowvar=False)) for v in (a, b))
    values, vectors = np.linalg.eigh(c_a)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ c_b @ root), 0)).sum()
    shift = np.sum((a.mean(0) - b.mean(0)) ** 2)
    return float(shift + np.trace(c_a) + np.trace(c_b) - 2 * cross)

"""The norm of the papers, the root mean square, defined once."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.types import Arr


@jax.jit
def rms(x: Float[Arr, "batch *shape"]) -> Float[jax.Array, " batch"]:
    """Per-sample root mean square over all axes but the first.

        |x_i| = sqrt(mean_d x_id^2)

    Exactly 0 for a sample of zeros, with gradient 0 there: the square root has none.
    """
    square = jnp.mean(jnp.square(x), axis=tuple(range(1, x.ndim)))
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), square)


def magnitude(x: Arr) -> float:
    """Root mean square over all axes, a number on the host."""
    return float(np.sqrt(np.mean(np.square(to_host(x).astype(np.float64)))))

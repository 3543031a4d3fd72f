"""Inverses of increasing functions of time, by bracketing."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

_SECTIONS = 64
_ROUNDS = {np.dtype(np.float64): 10}  # 64^-10 and, else, 64^-6: below the spacing at 1


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def time_at(function: Callable[[jax.Array], jax.Array], value: jax.Array) -> jax.Array:
    """t in [0, 1] with function(t) = value; beyond an end, that end.

    Each round keeps the one of 64 sections of the bracket that holds the value, which
    works with infinite ends and kinks. The derivative is 1 / function'(t), in forward
    and reverse mode. `value` may have any shape; `function` acts elementwise.
    """
    low, width = jnp.zeros_like(value), 1.0
    fractions = np.arange(1, _SECTIONS, dtype=value.dtype) / _SECTIONS
    fractions = fractions.reshape(-1, *[1] * value.ndim)
    for _ in range(_ROUNDS.get(value.dtype, 6)):
        below = function(low[None] + width * fractions) <= value[None]
        width = width / _SECTIONS
        low = low + width * jnp.sum(below, axis=0).astype(value.dtype)
    ends = [function(jnp.full_like(value, end)) for end in (0, 1)]
    t = jnp.where(value <= ends[0], 0, low + width / 2)
    t = jnp.where(value >= ends[1], 1, jnp.minimum(t, 1))
    return jnp.where(jnp.isnan(value), value, t)


@time_at.defjvp
def _(function, primals, tangents):
    t = time_at(function, *primals)
    slope = jax.jvp(function, (t,), (jnp.ones_like(t),))[1]
    return t, tangents[0] / slope

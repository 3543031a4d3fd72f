"""What schedules take and return, and the choice between NumPy and JAX."""

import sys
from types import ModuleType

import numpy as np
from jaxtyping import Int

from bespoke_jax.core.protocols import Values
from bespoke_jax.core.types import Arr, Times

AnyTimes = Times | int | Int[Arr, " *times"] | np.number
"""Arguments of any shape, `schedule(1)` too."""


def namespace(value: object) -> ModuleType:
    """`jax.numpy` for a JAX array or tracer, NumPy for everything else."""
    jax = sys.modules.get("jax")  # no JAX array exists before JAX is imported
    if jax is not None and isinstance(value, jax.Array):
        return jax.numpy
    return np


def as_times(value: AnyTimes) -> Values:
    """A JAX array in its own floating dtype, anything else in NumPy float64."""
    xp = namespace(value)
    if xp is np:
        return np.array(value, np.float64)
    array = xp.asarray(value)
    return array if xp.issubdtype(array.dtype, xp.inexact) else array.astype(float)

"""Names of array types and axes, used in the signatures of all other modules.

`batch` counts independent samples, `*shape` is one sample of any rank, `n` counts
rows of a solver (network evaluations). Times run from 0 (noise) to 1 (data).
"""

import jax
import numpy as np
from jaxtyping import Float, PyTree

Arr = jax.Array | np.ndarray

Number = float | int | np.number | Float[Arr, ""]
"""A real number of Python, NumPy or JAX."""

Count = int | np.integer
"""A whole number of Python or NumPy."""

Scalar = Float[Arr, ""] | float | int
Times = Float[Arr, " *times"] | float
"""Times, log-SNRs or NSRs of any shape; schedules act on them elementwise."""

BatchTime = Float[Arr, ""] | Float[Arr, " batch"] | float
"""The time argument of a field: one for the whole batch, or one per sample."""

State = Float[Arr, "batch *shape"]
Conditioning = PyTree
"""Per-sample conditioning: any pytree whose leaves have leading axis batch."""
Theta = PyTree[Arr]
"""The parameters of a family: a pytree of arrays."""

"""STAND-IN for `fields.knowledge` and `schedules.joints` until those are merged.

Delete this file then, and import the same three names from `bespoke_jax.fields` and
`bespoke_jax.schedules`.
"""

from typing import Any

import numpy as np
from jax.tree_util import Partial

from bespoke_jax._types import Schedule
from bespoke_jax.schedules import DiscreteVP


def schedule_of(field: Any) -> Schedule | None:
    """The path that a field was built on, where it is known."""
    if isinstance(field, Partial) and type(field.func).__name__ == "_Prediction":
        return getattr(field.func, "schedule", None)
    return None


def jumps_of(field: Any) -> tuple[float, ...]:
    """The known times at which dx/dt jumps."""
    del field
    return ()


def joints(schedule: Any) -> np.ndarray:
    """The times inside (0, 1) at which the rates of a schedule jump."""
    if isinstance(schedule, DiscreteVP):
        N = len(schedule.alphas_bar)
        return np.arange(1, N) / N
    return np.asarray(getattr(schedule, "joints", ()), np.float64)

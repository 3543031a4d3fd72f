"""Any schedule's functions on the host: in float64, outside of JAX's configuration."""

from collections.abc import Callable

import jax
import numpy as np

from bespoke_jax.core.protocols import Schedule, Values


def on_host(function: Callable[[np.ndarray], Values], value: object) -> Values:
    """`function(value)` with float64 NumPy arrays in and out.

    Solver tables need float64 whatever the JAX configuration says, also where a jitted
    function builds them. A schedule that is written with `jax.numpy` is therefore
    evaluated under x64 and outside any trace. Constants take the shape of `value`.
    """
    value = np.asarray(value, np.float64)
    # Infinite values at the ends (the NSR of CondOT at t = 0) are expected.
    quiet = np.errstate(divide="ignore", over="ignore")
    with jax.enable_x64(True), jax.ensure_compile_time_eval(), quiet:
        return jax.tree.map(
            lambda leaf: np.broadcast_to(np.asarray(leaf, np.float64), value.shape),
            function(value),
        )


def joints(schedule: Schedule | None) -> np.ndarray:
    """The times inside (0, 1) at which a schedule says that its rates jump."""
    return np.asarray(getattr(schedule, "joints", ()), np.float64)

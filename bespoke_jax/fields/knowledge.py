"""The path and the jumps of a field that this library has built.

The function inside each `Partial` of this package has two methods of the parts it is
bound to: `path`, the Gaussian path of the field, and `jumps`, the times at which dx/dt
jumps or has a kink. For other fields the path is None and there are no known jumps.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import PyTree

from bespoke_jax.core.protocols import Schedule


@runtime_checkable
class Known(Protocol):
    """The function of a `Partial` whose path and jumps are known."""

    def path(self, *parts: PyTree) -> Schedule | None:
        """The path of the field that this function makes of `parts`."""
        ...

    def jumps(self, *parts: PyTree) -> tuple[float, ...]:
        """Times at which dx/dt of that field jumps or has a kink."""
        ...


def schedule_of(field: object) -> Schedule | None:
    """The path x_t = alpha_t x_1 + sigma_t x_0 that a field was built on.

    None where it is unknown (a function of the user, a reversed field), and where the
    parts of the field contradict each other.
    """
    if isinstance(field, Partial) and isinstance(field.func, Known):
        return field.func.path(*field.args)
    return None


def jumps_of(field: object) -> tuple[float, ...]:
    """The known times inside (0, 1), increasing, at which dx/dt jumps or has a kink.

    They are the ends of guidance intervals, the boundaries of `switch`, the times
    before which `from_prediction` freezes its coefficients, the steps of
    `time="level"`, and the ends of the old path under `change_schedule`, each carried
    through `reverse`, `change_schedule` and `scale_time`. The joints of a piecewise
    schedule are a property of the schedule and not among them.
    """
    if isinstance(field, Partial) and isinstance(field.func, Known):
        return inside(field.func.jumps(*field.args))
    return ()


def inside(times: Iterable[float]) -> tuple[float, ...]:
    """The distinct times inside (0, 1), increasing, up to rounding at both ends."""
    return tuple(sorted({float(t) for t in times if 1e-7 < float(t) < 1 - 1e-7}))


def agree(*paths: Schedule | None) -> Schedule | None:
    """The common path of those that are known, or None."""
    known = [path for path in paths if path is not None]
    return known[0] if known and all(p == known[0] for p in known) else None


def preimages(function: Callable, values: tuple[float, ...]) -> tuple[float, ...]:
    """The r in (0, 1) with function(r) = value, for a continuous function of time.

    One crossing per interval of a grid of 1024, then bisection to the resolution of
    the dtype.
    """
    if not values:
        return ()
    with jax.ensure_compile_time_eval():
        call = lambda r: np.asarray(
            jax.vmap(lambda r: jnp.asarray(function(r), float))(jnp.asarray(r, float))
        )
        grid = np.linspace(0.0, 1.0, 1025)
        at = call(grid)
        found = []
        for value in values:
            above = at > value
            low = grid[:-1][above[:-1] != above[1:]]
            high, side = low + grid[1], above[:-1][above[:-1] != above[1:]]
            for _ in range(52):
                middle = (low + high) / 2
                stays = (call(middle) > value) == side
                low, high = np.where(stays, middle, low), np.where(stays, high, middle)
            found += [*((low + high) / 2)]
    return inside(found)

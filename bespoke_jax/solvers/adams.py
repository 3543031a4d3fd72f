"""Adams-Bashforth on velocities, with variable steps.

Bashforth and Adams (1883); Hairer, Norsett and Wanner, Solving Ordinary Differential
Equations I (1993), section III.5.
"""

from itertools import pairwise

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import trace
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers.adams_weights import variable_step
from bespoke_jax.solvers.loops import check_order


def adams_bashforth(
    schedule: Schedule | None = None,
    *,
    nfe: Count,
    order: int = 2,
    grid: GridLike = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """x <- x + int of the polynomial through the last `order` velocities.

    One evaluation per step; the first steps use the velocities there are, so that
    orders above 2 start with an error of order 2.

    Args:
        schedule: needed only by grids that are named after it.
        nfe: evaluations, one per step.
        order: 1 (Euler) to 4, the number of velocities.
        grid: a name, a callable or nfe + 1 increasing times; see `grids.resolve`.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1].

    Raises:
        ValueError: an argument out of range.
    """
    check_order(order, (1, 2, 3, 4))
    times = Layout(schedule, grid, start, end).times(nfe)

    def recursion(u, x):
        past = []
        for i, (t, s) in enumerate(pairwise(times)):
            past = [u(t, x), *past][:order]
            nodes = times[i - len(past) + 1 : i + 1][::-1]
            for w, u_j in zip(variable_step(nodes, s), past, strict=True):
                x = x + ((s - t) * w) * u_j
        return x

    return trace(recursion, end=times[-1])

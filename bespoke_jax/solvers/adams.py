"""Adams methods on velocities, with variable steps.

Bashforth and Adams (1883); Moulton (1926); Hairer, Norsett and Wanner, Solving Ordinary
Differential Equations I (1993), sections III.1 and III.5.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear, trace
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers.adams_weights import variable_step
from bespoke_jax.solvers.loops import budget, check_order


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
            x = _integrate(x, past, nodes, t, s)
        return x

    return trace(recursion, end=times[-1])


def adams_moulton(
    schedule: Schedule | None = None,
    *,
    nfe: Count,
    order: int = 3,
    grid: GridLike = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """Adams-Moulton as predictor-corrector (PECE), two evaluations per step.

    Predict x* at the next time by Adams-Bashforth through the last order - 1
    velocities, evaluate u* = u(s, x*), and correct with the polynomial through u* too:

        x <- x + int of the polynomial through u* and the last order - 1 velocities.

    Order 2 is Heun's method. The first steps use the velocities there are, so that
    order 4 starts with an error of order 3. Hairer, Norsett and Wanner (1993),
    equations III.1.8 and III.1.9.

    Args:
        schedule: needed only by grids that are named after it.
        nfe: evaluations to spend; an odd last one is not used.
        order: 2 (Heun) to 4.
        grid: a name, a callable or nfe // 2 + 1 increasing times; see `grids.resolve`.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1]. The last prediction is evaluated there, so
            noise and data predictions need end < 1.

    Raises:
        ValueError: an argument out of range.
    """
    check_order(order, (2, 3, 4))
    steps = len(budget(nfe, 2, "fixed"))
    times = Layout(schedule, grid, start, end).times(steps)

    def recursion(u, x):
        past = []
        for i, (t, s) in enumerate(pairwise(times)):
            past = [u(t, x), *past][: order - 1]
            nodes = times[i - len(past) + 1 : i + 1][::-1]
            predicted = u(s, _integrate(x, past, nodes, t, s))
            x = _integrate(x, [predicted, *past], [s, *nodes], t, s)
        return x

    return trace(recursion, end=times[-1])


def _integrate(
    x: Linear,
    velocities: list[Linear],
    nodes: Sequence[float] | np.ndarray,
    t: float,
    s: float,
) -> Linear:
    """x plus the integral from t to s of the polynomial through the velocities."""
    for w, u_j in zip(variable_step(nodes, t, s), velocities, strict=True):
        x = x + ((s - t) * w) * u_j
    return x

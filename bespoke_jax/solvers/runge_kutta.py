"""Explicit Runge-Kutta methods on velocities, from Butcher tableaux.

With nodes c, weights b and lower-triangular a, one step from t to s, h = s - t, is

    k_i = u(t + c_i h, x + h sum_{j<i} a_ij k_j),      x <- x + h sum_i b_i k_i.

References: Butcher, Numerical Methods for Ordinary Differential Equations (2016),
sections 23 and 31; Ralston (1962), Math. Comp. 16, for the bound-minimising method.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from bespoke_jax import grids
from bespoke_jax.core import checks
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import trace
from bespoke_jax.core.types import Count, Number


class Tableau(NamedTuple):
    """An explicit Butcher tableau: a (stages, stages), b and c (stages,)."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    order: int

    @property
    def stages(self) -> int:
        return len(self.b)


def tableau(a: Any, b: Any, order: int) -> Tableau:
    """Build a tableau from the rows of a below the diagonal and b; c_i = sum_j a_ij.

    Args:
        a: rows of lengths 1 .. stages - 1 (the first stage has none).
        b: weights, length stages.
        order: 1 to 4, the order the coefficients must satisfy.

    Raises:
        ValueError: a condition for that order fails, naming it.
    """
    b = np.asarray(checks.samples("b", b), np.float64)
    checks.instance("a", a, list | tuple | np.ndarray, "the rows below the diagonal")
    a = [np.ravel(checks.numbers("each row of a", row)) for row in a]
    stages = b.size
    full = np.zeros((stages, stages))
    if [len(row) for row in a] != list(range(1, stages)):
        raise ValueError(
            f"{stages} weights need rows of a of lengths 1 .. {stages - 1}; "
            f"got {[len(row) for row in a]}."
        )
    for i, row in enumerate(a, start=1):
        full[i, :i] = row
    c = full.sum(1)
    conditions = {
        1: {"sum b = 1": (b.sum(), 1)},
        2: {"b.c = 1/2": (b @ c, 1 / 2)},
        3: {"b.c^2 = 1/3": (b @ c**2, 1 / 3), "b.A.c = 1/6": (b @ full @ c, 1 / 6)},
        4: {
            "b.c^3 = 1/4": (b @ c**3, 1 / 4),
            "b.(c A c) = 1/8": (b @ (c * (full @ c)), 1 / 8),
            "b.A.c^2 = 1/12": (b @ full @ c**2, 1 / 12),
            "b.A.A.c = 1/24": (b @ full @ full @ c, 1 / 24),
        },
    }
    checks.whole("order", order, most=4)
    for k in range(1, order + 1):
        for name, (got, want) in conditions[k].items():
            if abs(got - want) > 1e-12:
                raise ValueError(
                    f"a tableau of order {order} needs {name}; it gives {got:.6g}."
                )
    return Tableau(full, b, c, order)


TABLEAUX = {
    "euler": tableau([], [1], 1),
    "midpoint": tableau([[1 / 2]], [0, 1], 2),
    "ralston": tableau([[2 / 3]], [1 / 4, 3 / 4], 2),
    "heun": tableau([[1]], [1 / 2, 1 / 2], 2),
    "kutta3": tableau([[1 / 2], [-1, 2]], [1 / 6, 2 / 3, 1 / 6], 3),
    "heun3": tableau([[1 / 3], [0, 2 / 3]], [1 / 4, 0, 3 / 4], 3),
    "rk4": tableau([[1 / 2], [0, 1 / 2], [0, 0, 1]], [1 / 6, 1 / 3, 1 / 3, 1 / 6], 4),
}


def runge_kutta(
    tableau: Tableau,
    schedule: Any = None,
    *,
    steps: Count,
    grid: Any,
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """The solver of any explicit tableau: `stages * steps` NFE on a grid of steps.

    Args:
        tableau: the method.
        schedule: needed only by grids that are named after it (log_snr, nsr, edm).
        steps: number of steps, at least 1.
        grid: a name or an increasing array of steps + 1 times; see `grids.resolve`.
        start: time of the first state, in [0, end); 0 is noise.
        end: the time of the sample, in (0, 1]. A stage with c = 1 evaluates the field
            there, so noise and data predictions need end < 1.

    Raises:
        ValueError: steps, grid or end out of range.
    """
    checks.instance("tableau", tableau, Tableau, "what solvers.tableau returns")
    times = grids.resolve(grid, steps, schedule, end, start=start)

    def recursion(u, x):
        for t, s in pairwise(times):
            h, k = s - t, []
            for a_i, c_i in zip(tableau.a, tableau.c, strict=True):
                z = x
                for a_ij, k_j in zip(a_i, k, strict=False):
                    z = z + (h * a_ij) * k_j if a_ij else z
                # The node c = 1 is s itself: t + h may round past it.
                k.append(u(s if c_i == 1 else t + c_i * h, z))
            for b_i, k_i in zip(tableau.b, k, strict=True):
                x = x + (h * b_i) * k_i
        return x

    return trace(recursion, end=times[-1])


def euler(
    schedule: Any = None,
    *,
    steps: Count,
    grid: Any = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """Euler's method, x <- x + h u(t, x): order 1, one evaluation a step.

    Equals DDIM on CondOT. Arguments and errors as `runge_kutta`.
    """
    return runge_kutta(
        TABLEAUX["euler"], schedule, steps=steps, grid=grid, start=start, end=end
    )


def midpoint(
    schedule: Any = None,
    *,
    steps: Count,
    grid: Any = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """The explicit midpoint rule (c = 1/2): order 2, two evaluations a step.

    The RK2 of the Bespoke papers. Arguments and errors as `runge_kutta`.
    """
    return runge_kutta(
        TABLEAUX["midpoint"], schedule, steps=steps, grid=grid, start=start, end=end
    )


def ralston(
    schedule: Any = None,
    *,
    steps: Count,
    grid: Any = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """Ralston's second-order method (c = 2/3): two evaluations a step.

    Arguments and errors as `runge_kutta`.
    """
    return runge_kutta(
        TABLEAUX["ralston"], schedule, steps=steps, grid=grid, start=start, end=end
    )


def heun(
    schedule: Any = None,
    *,
    steps: Count,
    grid: Any = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """Heun's second-order method (c = 1, the trapezoid): two evaluations a step.

    Arguments and errors as `runge_kutta`.
    """
    return runge_kutta(
        TABLEAUX["heun"], schedule, steps=steps, grid=grid, start=start, end=end
    )


def kutta3(
    schedule: Any = None,
    *,
    steps: Count,
    grid: Any = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """Kutta's third-order method (c = 1/2, 1): three evaluations a step.

    Arguments and errors as `runge_kutta`.
    """
    return runge_kutta(
        TABLEAUX["kutta3"], schedule, steps=steps, grid=grid, start=start, end=end
    )


def heun3(
    schedule: Any = None,
    *,
    steps: Count,
    grid: Any = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """Heun's third-order method (c = 1/3, 2/3): three evaluations a step.

    Arguments and errors as `runge_kutta`.
    """
    return runge_kutta(
        TABLEAUX["heun3"], schedule, steps=steps, grid=grid, start=start, end=end
    )


def rk4(
    schedule: Any = None,
    *,
    steps: Count,
    grid: Any = "uniform",
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """The classical fourth-order Runge-Kutta method: four evaluations a step.

    Arguments and errors as `runge_kutta`.
    """
    return runge_kutta(
        TABLEAUX["rk4"], schedule, steps=steps, grid=grid, start=start, end=end
    )

"""Explicit Runge-Kutta methods on velocities, from Butcher tableaux.

With nodes c, weights b and lower-triangular a, one step from t to s, h = s - t, is

    k_i = u(t + c_i h, x + h sum_{j<i} a_ij k_j),      x <- x + h sum_i b_i k_i.

References: Butcher, Numerical Methods for Ordinary Differential Equations (2016),
sections 23 and 31; Ralston (1962), Math. Comp. 16, for the bound-minimising method.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import trace
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import MOST_STEPS, GridLike, Layout
from bespoke_jax.solvers.naming import named


class Tableau(NamedTuple):
    """An explicit Butcher tableau: a (stages, stages), b and c (stages,)."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    order: int

    @property
    def stages(self) -> int:
        return len(self.b)


def tableau(a: Sequence | np.ndarray, b: object, order: int) -> Tableau:
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
    rows = [np.ravel(checks.numbers("each row of a", row)) for row in a]
    A = np.zeros((b.size, b.size))
    if [len(row) for row in rows] != list(range(1, b.size)):
        raise ValueError(
            f"{b.size} weights need rows of a of lengths 1 .. {b.size - 1}; "
            f"got {[len(row) for row in rows]}."
        )
    for i, row in enumerate(rows, start=1):
        A[i, :i] = row
    found = Tableau(A, b, A.sum(1), checks.whole("order", order, most=4))
    for k in range(1, found.order + 1):
        for name, (got, want) in _conditions(found)[k].items():
            if abs(got - want) > 1e-12:
                raise ValueError(
                    f"a tableau of order {order} needs {name}; it gives {got:.6g}."
                )
    return found


def _conditions(tableau: Tableau) -> dict[int, dict[str, tuple[float, float]]]:
    """What a sum of the coefficients is and should be, for every order up to 4."""
    A, b, c, _ = tableau
    product = lambda *factors: float(reduce(np.matmul, factors))
    return {
        1: {"sum b = 1": (float(b.sum()), 1.0)},
        2: {"b.c = 1/2": (product(b, c), 1 / 2)},
        3: {
            "b.c^2 = 1/3": (product(b, c**2), 1 / 3),
            "b.A.c = 1/6": (product(b, A, c), 1 / 6),
        },
        4: {
            "b.c^3 = 1/4": (product(b, c**3), 1 / 4),
            "b.(c A c) = 1/8": (product(b, c * (A @ c)), 1 / 8),
            "b.A.c^2 = 1/12": (product(b, A, c**2), 1 / 12),
            "b.A.A.c = 1/24": (product(b, A, A, c), 1 / 24),
        },
    }


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
    schedule: Schedule | None = None,
    *,
    nfe: Count | None = None,
    steps: Count | None = None,
    grid: GridLike,
    start: Number = 0.0,
    end: Number = 1.0,
) -> Solver:
    """The solver of any explicit tableau, `stages` evaluations per step.

    Args:
        tableau: the method.
        schedule: needed only by grids that are named after it (log_snr, nsr, edm).
        nfe: evaluations to spend, nfe // stages steps; a remainder is not used.
        steps: the number of steps instead.
        grid: a name, a callable or the increasing times of the steps, one more than
            there are steps; see `grids.resolve`.
        start: time of the first state, in [0, end); 0 is noise.
        end: the time of the sample, in (0, 1]. A stage with c = 1 evaluates the field
            there, so noise and data predictions need end < 1.

    Raises:
        ValueError: both or neither of nfe and steps, or an argument out of range.
    """
    checks.instance("tableau", tableau, Tableau, "what solvers.tableau returns")
    times = Layout(schedule, grid, start, end).times(_steps(tableau, nfe, steps))

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


def _steps(tableau: Tableau, nfe: Count | None, steps: Count | None) -> int:
    """The number of steps, from whichever of the two budgets is given."""
    if (nfe is None) == (steps is None):
        raise ValueError(
            "a Runge-Kutta method takes one of nfe=... (evaluations) and steps=...; "
            f"got {'neither' if nfe is None else 'both'}."
        )
    if steps is not None:
        return checks.whole("steps", steps, most=MOST_STEPS)
    found = checks.whole("nfe", nfe, most=MOST_STEPS) // tableau.stages
    if not found:
        raise ValueError(
            f"the method spends {tableau.stages} evaluations per step; nfe = {nfe} "
            "pays for none."
        )
    return found


def _method(name: str, doc: str):
    """The constructor of a method of `TABLEAUX`."""

    def solver(
        schedule: Schedule | None = None,
        *,
        nfe: Count | None = None,
        steps: Count | None = None,
        grid: GridLike = "uniform",
        start: Number = 0.0,
        end: Number = 1.0,
    ) -> Solver:
        return runge_kutta(
            TABLEAUX[name],
            schedule,
            nfe=nfe,
            steps=steps,
            grid=grid,
            start=start,
            end=end,
        )

    order, stages = TABLEAUX[name].order, TABLEAUX[name].stages
    cost = f"{stages} evaluation{'s' if stages > 1 else ''} per step"
    said = f"{doc}: order {order}, {cost}.\n\nArguments and errors as `runge_kutta`."
    return named(solver, name, said)


euler = _method("euler", "Euler's method, x <- x + h u(t, x), which is DDIM on CondOT")
midpoint = _method(
    "midpoint",
    "The explicit midpoint rule (c = 1/2), RK2 of the Bespoke paper",
)
ralston = _method("ralston", "Ralston's second-order method (c = 2/3)")
heun = _method("heun", "Heun's second-order method (c = 1, the trapezoid)")
kutta3 = _method("kutta3", "Kutta's third-order method (c = 1/2, 1)")
heun3 = _method("heun3", "Heun's third-order method (c = 1/3, 2/3)")
rk4 = _method("rk4", "The classical fourth-order Runge-Kutta method")

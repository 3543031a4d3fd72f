"""Ground truth by a solver of fixed budget from the table, certified on pilots.

All samples take the same steps, so that none waits for another, and all states are
dense states for free. Their number is the least of a few levels at which the error of
the pilots is below the tolerance, as the level before it tells (`levels`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bespoke_jax.core.budget import TooLittle
from bespoke_jax.core.norms import magnitude
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.reference import levels
from bespoke_jax.reference.allowance import Allowance
from bespoke_jax.reference.levels import PAIRS, Climb, Run
from bespoke_jax.reference.paths import Certificate
from bespoke_jax.reference.pipeline import FEWEST, Cached, Look, Part, Request

METHOD = "multistep"
PILOTS = 4
"""Samples that choose the level and earn the certificate."""
_FIRST = 16  # evaluations of the first level, where no budget is sought
_SHARE = 2  # the pilots cost at most this fraction of a budget: a half


_INNER = 6.0
"""How much less accurate than the end points inner states may be for a fit."""


class Sought(NamedTuple):
    """An accuracy by what it is for: solvers of `nfe` evaluations."""

    nfe: int
    share: float
    """Of the mean error that the best of the pairs makes at nfe."""


class Plan(NamedTuple):
    """How a request is solved by fixed steps."""

    schedule: Schedule
    """The path of the model, which solvers of the table are made for."""
    sought: Sought | None = None
    """The accuracy; None is that of the request's tolerances."""


class Chosen(NamedTuple):
    """The solver of all samples, and the pilots that it has solved."""

    solver: Solver
    pair: int
    coarser: int
    """Evaluations of the solver that checked it."""
    tolerance: float
    endpoint: float
    interpolation: float | None
    parts: list[Part]

    @property
    def times(self) -> np.ndarray:
        """(nfe + 1,) from start to end."""
        return np.append(self.solver.t, self.solver.end)


class NotReached(RuntimeError):
    """No level reaches the tolerance."""

    def __init__(self, error: float, tolerance: float, most: int, spent: int):
        super().__init__(
            f"{METHOD} solves of up to {most} evaluations are still {error:.2g} apart, "
            f'above the tolerance of {tolerance:.2g}. Use method="tsit5", which adapts '
            "its steps to each sample, or loosen the tolerance."
        )
        self.spent, self.tolerance = spent, tolerance
        """Evaluations spent, and what was asked for."""


def pilots(
    request: Request, plan: Plan, look: Look, allowance: Allowance, cached: Cached
) -> Chosen:
    """The level that all samples take, or what an interrupted run has saved of it.

    Raises:
        NotReached: no level reaches the tolerance.
        TooLittle: the pilots would cost more than half of the budget.
    """
    kept = cached(0, lambda: _climbed(request, plan, look, allowance))
    leaves, numbers, states, *slopes = kept[:5], *kept[5:]
    pair, coarser, tolerance, end, between, spent = np.asarray(numbers).tolist()
    allowance.budget.pay(int(spent))
    solver, dense = Solver(*map(np.asarray, leaves)), request.dense
    part = Part(states, np.full(len(states), solver.nfe), slopes[0] if dense else None)
    return Chosen(
        solver, int(pair), int(coarser), tolerance, end, between if dense else None,
        [part],
    )  # fmt: skip


def _climbed(
    request: Request, plan: Plan, look: Look, allowance: Allowance
) -> list[Any]:
    """[solver's leaves, numbers, states, slopes if dense]."""
    problem, samples = request.problem, request.samples
    control, interval = problem.control, (problem.start, problem.end)
    many, budget = min(PILOTS, samples.size), allowance.budget
    x, c = samples.cut(0, many, many)

    def pay(spent: int) -> None:
        if budget.bounded and spent > allowance.left / _SHARE:
            raise TooLittle(
                int(budget.evaluations),
                look.evaluations + _SHARE * spent,
                f"Its {many} pilots may take a half, and {spent} are not enough to see "
                "how many steps they need",
            )

    climb = Climb(
        problem.field, plan.schedule, interval, x, c, many=many, dense=request.dense,
        most=control.max_steps, pay=pay,
    )  # fmt: skip

    def allowed(finest: Run) -> float:
        if plan.sought is None:
            scale = magnitude(finest.states[:many, -1])
            return max(control.atol + control.rtol * scale, look.floor)
        at = min(float(climb.off(run, finest).mean()) for run in climb.tried)
        return max(plan.sought.share * at, look.floor)

    first, growth = (_FIRST, 1.5) if plan.sought is None else (plan.sought.nfe, 2.0)
    measure = np.max if plan.sought is None else np.mean
    # Rows that are fitted to inner states correct at the end what these are off.
    inner = 1.0 if plan.sought is None else _INNER
    level, good = levels.climb(climb, first, growth, allowed, measure, inner=inner)
    ends = float(level.endpoint.max()), float(level.interpolation.max())
    if not good:
        worst = max(float(measure(level.endpoint)), float(measure(level.interpolation)))
        spent = climb.spent + look.evaluations
        raise NotReached(worst, level.tolerance, level.nfe, spent)
    solver = levels.solver_of(level.pair, level.nfe, plan.schedule, interval)
    numbers = [level.pair, level.coarser, level.tolerance, *ends, climb.spent]
    kept = [leaf[:many] for leaf in level.run[1:] if leaf is not None]
    return [*solver, np.array(numbers), *kept]


def batches(
    request: Request,
    found: Chosen,
    allowance: Allowance,
    cached: Cached,
    note: Callable[[int, float], None],
) -> list[Part]:
    """All paths that the budget pays for; `note(paths, evaluations)` after each."""
    samples, budget = request.samples, allowance.budget
    parts, number, done = list(found.parts), 1, len(found.parts[0].states)
    each = found.solver.nfe + request.dense
    note(done, 0.0)
    while done < samples.size and not (budget.late and done >= FEWEST):
        many = min(request.batch_size, samples.size - done, allowance.left // each)
        if not many:
            break
        batch = partial(_batch, request, found, done, done + many)
        states, *slopes = cached(number, batch)
        many = len(states)
        budget.pay(many * each)
        costs = np.full(many, found.solver.nfe)
        parts.append(Part(states, costs, slopes[0] if slopes else None))
        done, number = done + many, number + 1
        note(many, float(found.solver.nfe))
    return parts


def _batch(request: Request, found: Chosen, start: int, stop: int) -> list[Any]:
    """[states, slopes if dense] of samples start .. stop."""
    samples, many, dense = request.samples, stop - start, request.dense
    rest = samples.size - len(found.parts[0].states)
    x, c = samples.cut(start, stop, min(request.batch_size, rest))
    run = levels.march(request.problem.field, found.solver, x, c, dense=dense)
    return [leaf[:many] for leaf in run[1:] if leaf is not None]


def certificate(request: Request, found: Chosen, look: Look) -> Certificate:
    """How far the pilots were from the level before, whose error this mostly is."""
    name, grid = PAIRS[found.pair]
    end = max(found.endpoint, look.floor)
    return Certificate(
        len(found.parts[0].states), None, None, end, max(end, found.interpolation or 0),
        found.interpolation, f"{name} on the grid {grid} with {found.coarser} NFE",
        np.dtype(request.samples.x0.dtype).name, found.endpoint > look.floor,
    )  # fmt: skip

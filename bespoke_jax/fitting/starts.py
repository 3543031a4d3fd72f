"""Where a search begins: a race of training-free solvers, and regressions."""

import json
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Theta
from bespoke_jax.fitting import times
from bespoke_jax.fitting.candidates import Candidate, Dropped
from bespoke_jax.fitting.data import Data
from bespoke_jax.fitting.effort import Regressions
from bespoke_jax.fitting.problem import Problem
from bespoke_jax.fitting.race import PILOTS, Start, race, rungs
from bespoke_jax.fitting.regression import Regressed, Rows
from bespoke_jax.fitting.times import Maker, Timed

_KEPT = 3
"""Starts of the last round of the race."""
_TIME = 0.3  # of the seconds, by which the race is over


def raced(
    problem: Problem, found: Sequence[Candidate], training: Data, solves: float
) -> tuple[list[Start], list[Dropped]]:
    """The training-free and given solvers that `solves` pay for, best first."""
    pilots = min(PILOTS, training.size)
    plan = rungs(len(found), pilots, _KEPT, max(solves, 1))
    if not plan:
        return [], []

    def run() -> list[np.ndarray]:
        result = race(
            found,
            plan,
            lambda one, a, b: problem.errors(
                lifted(problem, one.theta), training.cut(a, b)
            ),
            problem.judge.measure,
            late=lambda: problem.budget.elapsed > _TIME * problem.budget.seconds,
            progress=problem.progress,
        )
        lost = np.frombuffer(json.dumps(result.dropped).encode(), np.uint8)
        return [np.asarray(result.order), np.asarray(result.scores), lost]

    order, scores, lost = problem.journal.once(run)
    measured = [
        Start(one.name, one.method, float(score), *one[2:])
        for one, score in zip((found[int(i)] for i in order), scores, strict=True)
    ]
    reasons = json.loads(lost.tobytes())
    return measured, [Dropped(found[i].name, reason) for i, reason in reasons]


def regressed(
    problem: Problem,
    schedule: Schedule,
    makers: Sequence[tuple[str, Maker]],
    training: Data,
    plan: Regressions,
) -> tuple[list[tuple[str, Theta]], list[str], list[Dropped]]:
    """Solvers by regression on the best of many times, and the grids, best first.

    Args:
        problem: what is searched for, and with what means.
        schedule: the path of the model.
        makers: grids to try.
        training: paths to fit; the first ones are used.
        plan: how many of them for what.
    """
    like, unravel = ravel_pytree(lifted(problem, problem.family.init()))

    def run() -> list[np.ndarray]:
        made, order, lost = _regressions(problem, schedule, makers, training, plan)
        thetas = [ravel_pytree(theta)[0] for _, theta in made]
        words = json.dumps([[name for name, _ in made], order, lost]).encode()
        flat = np.stack(thetas) if thetas else np.zeros((0, like.size))
        return [flat, np.frombuffer(words, np.uint8)]

    flat, words = problem.journal.once(run)
    names, order, lost = json.loads(words.tobytes())
    thetas = [unravel(jnp.asarray(row, like.dtype)) for row in flat]
    made = list(zip(names, thetas, strict=True))
    return made, order, [Dropped(*one) for one in lost]


def _regressions(
    problem: Problem,
    schedule: Schedule,
    makers: Sequence[tuple[str, Maker]],
    training: Data,
    plan: Regressions,
) -> tuple[list[tuple[str, Theta]], list[str], list[tuple[str, str]]]:
    measure, pay = problem.judge.measure, problem.budget.pay
    rows = lambda count: _rows(problem, schedule, training.cut(0, count))
    tried, lost = [], []
    few = rows(plan.pilots)
    for name, make in makers:
        if tried and problem.budget.late:
            break
        try:
            pay(few.cost(problem.nfe))
            tried.append(Timed(name, few.fit(make(problem.nfe))))
        except ValueError as error:  # one grid, not the search
            lost.append((f"regression, {name}", f"{error}"[:200]))
    score = lambda one: float(measure(one.fit.errors))
    tried.sort(key=score)
    chosen = tried[: plan.finals]
    if plan.movers and tried:
        movers = rows(plan.movers)
        try:
            pay(movers.cost(problem.nfe))
            best = Timed(tried[0].name, movers.fit(tried[0].times))
            moved = times.improve(
                movers, best, measure, steps=plan.moves, most=plan.moving(problem.nfe),
                pay=pay,
            )  # fmt: skip
        except ValueError as error:
            moved = []
            lost.append((f"times from {tried[0].name}", f"{error}"[:200]))
        # The last was moved most, for better or worse: the final ones tell.
        chosen = [*moved[:-2:-1], *tried][: plan.finals]
    final, made = rows(plan.paths), []
    for one in chosen:
        try:
            if plan.paths > plan.pilots or one not in tried:
                pay(final.cost(problem.nfe))
                one = Timed(one.name, final.fit(one.times))
            made.append(one)
        except ValueError as error:  # on paths that it had not seen
            lost.append((f"regression, {one.name}", f"{error}"[:200]))
    made.sort(key=score)
    named = [(f"regression, {one.name}", _theta(problem, one.fit)) for one in made]
    return named, [one.name for one in tried], lost


def _rows(problem: Problem, schedule: Schedule, data: Data) -> Rows:
    return Rows(
        problem.field,
        data.paths,
        schedule,
        problem.basis,
        data.phi,
        rounds=4 if problem.judge.robust else 2,
        robust=problem.judge.robust,
        batch_size=problem.recipe.batch_size or data.size,
        like=data.like,
    )


def _theta(problem: Problem, fit: Regressed) -> Theta:
    """The regression in the numbers of the family.

    On fixed times these depend on the weights of the data predictions linearly, so that
    K conditions determine their K coefficients.
    """
    basis = problem.basis
    if basis.size == 1:
        return lifted(problem, problem.family.init(fit.at(0.0)))
    w = np.linspace(basis.low, basis.high, basis.size)
    each = [problem.family.init(fit.at(float(value))) for value in w]
    inverse = np.linalg.inv(basis(w))
    join = lambda *leaves: jnp.asarray(
        np.tensordot(inverse, np.stack(leaves).astype(np.float64), 1), leaves[0].dtype
    )
    return jax.tree.map(join, *each)


def lifted(problem: Problem, theta: Theta) -> Theta:
    """theta for every condition, if there is one: leaves (K, ...), all but one 0."""
    K = problem.basis.size
    if K == 1:
        return theta
    lift = lambda leaf: jnp.concatenate(
        [leaf[None], jnp.zeros((K - 1, *leaf.shape), leaf.dtype)]
    )
    return jax.tree.map(lift, theta)

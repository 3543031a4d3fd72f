"""Race, regress, descend and score: the search for one solver on given paths."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.conditional import Conditional, conditional
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Theta
from bespoke_jax.fitting import effort as spending
from bespoke_jax.fitting import incremental
from bespoke_jax.fitting.candidates import Candidate, Dropped
from bespoke_jax.fitting.data import Data
from bespoke_jax.fitting.effort import EFFORTS
from bespoke_jax.fitting.history import History
from bespoke_jax.fitting.incremental import Noted
from bespoke_jax.fitting.problem import Problem, Track
from bespoke_jax.fitting.race import Start
from bespoke_jax.fitting.starts import lifted, raced, regressed
from bespoke_jax.fitting.tailored import Tailored
from bespoke_jax.fitting.times import Maker
from bespoke_jax.reference.paths import Paths

_SCORE = 0.25  # the share of what is left that one score may take
_DESCENTS = 3  # at most, one after another
_AGAIN = 4
"""Passes over the training paths that are worth another descent."""
_NEAR = 5e-6
"""Relative error of the tables of a conditional solver, which float32 leaves."""


class Parts(NamedTuple):
    """Three disjoint parts of the ground truth."""

    training: Data
    validation: Data
    """These choose."""
    test: Data
    """These choose nothing."""


def search(
    problem: Problem,
    schedule: Schedule,
    parts: Parts,
    paths: Paths,
    found: Sequence[Candidate],
    dropped: Sequence[Dropped],
    makers: Sequence[tuple[str, Maker]],
    shared: int,
) -> Tailored:
    """The best solver of one budget.

    Args:
        problem: what is searched for, and with what means.
        schedule: the path of the model.
        parts: the ground truth in its three parts.
        paths: all of it, for the record.
        found: solvers that the search can start from.
        dropped: what could not be made, for the report.
        makers: grids to try.
        shared: evaluations spent on all budgets together: the paths and their checks.
    """
    budget, nfe = problem.budget, problem.nfe
    before = budget.spent - shared
    log: list[Noted] = []
    parts = parts._replace(validation=parts.validation.ends, test=parts.test.ends)
    test = _affordable(problem, parts.test, parts.test.size, 2)
    budget.reserve(2 * nfe * test.size)
    most = spending.checking(parts.training.numbers)
    choosing = _affordable(problem, parts.validation, most, 1)
    measured, lost = raced(
        problem, found, parts.training.ends, spending.RACE * budget.left / nfe
    )
    tracks = _tracks(problem, measured, choosing)
    first = min(tracks, key=lambda one: one.score, default=None)
    if first is not None:
        log.append(Noted(math.nan, first.score, budget.spent, budget.elapsed))
    made, order, also = _regressions(
        problem, schedule, parts.training, choosing, makers
    )
    given = tracks  # and a smaller budget's solver: the best is not worse
    tracks = _finite(tracks + made, len(found) + len(makers), nfe)
    best = min(tracks, key=lambda one: one.score)
    log.append(Noted(math.nan, best.score, budget.spent, budget.elapsed))
    ends, failed = _descend(problem, tracks, parts.training.ends, choosing, log)
    best = _chosen(problem, [best, *given, *ends], choosing, parts.validation)
    budget.release()
    score, start_score = (
        math.nan if one is None else _scored(problem, one, test)
        for one in (best, first)
    )
    log.append(Noted(math.nan, best.score, budget.spent, budget.elapsed))
    return Tailored(
        theta=best.theta,
        solver=_solver(problem, best.theta),
        family=problem.family,
        basis=problem.basis,
        start=best.name,
        starts=tuple(measured),
        grids=tuple(order),
        history=_history(log, before),
        judge=problem.recipe.judge,
        rmse=score,
        start_rmse=start_score,
        scored=test.size,
        paths=paths,
        dropped=(*dropped, *lost, *also, *failed),
    )


def _finite(tracks: Sequence[Track], tried: int, nfe: int) -> list[Track]:
    """The tracks whose score is a number, of so many starts.

    Raises:
        ValueError: there is none.
    """
    finite = [track for track in tracks if math.isfinite(track.score)]
    if not finite:
        raise ValueError(
            f"none of {tried} starts solves this field at {nfe} evaluations; check the "
            "field, its end and its schedule."
        )
    return finite


def _affordable(problem: Problem, data: Data, most: int, scores: int) -> Data:
    """The first paths, of which so many scores are a share of what is left."""
    paid = _SCORE * problem.budget.left / (scores * problem.nfe)
    return data.cut(0, max(1, int(min(most, data.size, paid))))


def _tracks(problem: Problem, measured: Sequence[Start], choosing: Data) -> list[Track]:
    """The best start and all given ones, with their scores on the choosing paths."""
    tracks = []
    for start in [*measured[:1], *(s for s in measured[1:] if s.given)]:
        if not problem.budget.affords(problem.nfe * choosing.size):
            break
        theta = lifted(problem, start.theta)
        tracks.append(_track(problem, start.name, theta, choosing))
    return tracks


def _track(problem: Problem, name: str, theta: Theta, choosing: Data) -> Track:
    (score,) = problem.journal.once(lambda: [problem.score(theta, choosing)])
    return Track(name, theta, float(score))


def _regressions(
    problem: Problem,
    schedule: Schedule,
    training: Data,
    choosing: Data,
    makers: Sequence[tuple[str, Maker]],
) -> tuple[list[Track], list[str], list[Dropped]]:
    budget, nfe, level = problem.budget, problem.nfe, EFFORTS[problem.recipe.effort]
    unknowns = (nfe + 1) * problem.basis.size / training.numbers
    solves = budget.left / nfe - choosing.size
    while makers:
        plan = spending.regressions(
            level, nfe, solves, training.size, len(makers), unknowns
        )
        if plan.solves(nfe, len(makers)) <= solves:
            break
        makers = makers[: len(makers) // 2]
    else:
        return [], [], []
    made, order, lost = regressed(problem, schedule, makers, training, plan)
    tracks = []
    for name, theta in made:
        if tracks and not budget.affords(nfe * choosing.size):
            break
        tracks.append(_track(problem, name, theta, choosing))
    return tracks, order, lost


def _descend(
    problem: Problem,
    tracks: Sequence[Track],
    training: Data,
    choosing: Data,
    log: list[Noted],
) -> tuple[list[Track], list[Dropped]]:
    """Descents from the best track, and from others if much is left after it."""
    ends, failed = [], []
    best = min(track.score for track in tracks)
    if not EFFORTS[problem.recipe.effort].descends or best == 0:
        return ends, failed
    size = sum(np.size(leaf) for leaf in jax.tree.leaves(tracks[0].theta))
    step = partial(incremental.cost, problem.nfe, problem.recipe.probes, choosing.size)
    note = lambda one: log.append(one._replace(score=min(one.score, log[-1].score)))
    # One of each grid: moved times of the same one lead to the same minimum.
    starts = {one.name: one for one in sorted(tracks, key=lambda one: -one.score)}
    starts = sorted(starts.values(), key=lambda one: one.score)
    for start in starts[:_DESCENTS]:
        plan = spending.descent(
            problem.budget.left, step, training.size, training.numbers, size
        )
        if plan is None or (ends and plan.passes < _AGAIN):
            break
        made, failure = incremental.descend(
            problem, start, training, choosing, plan, note
        )
        ends += made
        if failure:
            failed.append(Dropped(start.name, failure))
    return ends, failed


def _chosen(
    problem: Problem, tracks: Sequence[Track], choosing: Data, validation: Data
) -> Track:
    """The best on all choosing paths, where there are more than accepted steps."""
    tracks = list({id(track): track for track in tracks}.values())
    best = min(tracks, key=lambda one: one.score)
    if validation.size == choosing.size or len(tracks) == 1:
        return best
    if not problem.budget.affords(len(tracks) * problem.nfe * validation.size):
        return best
    each = [_track(problem, one.name, one.theta, validation) for one in tracks]
    return min(each, key=lambda one: one.score)


def _scored(problem: Problem, track: Track, test: Data) -> float:
    (score,) = problem.journal.once(lambda: [problem.score(track.theta, test)])
    return float(score)


def _solver(problem: Problem, theta: Theta) -> Solver | Conditional:
    if problem.basis.size == 1:
        return jax.tree.map(np.asarray, problem.family.build(theta))

    def build(w: float) -> Solver:
        phi = problem.basis(w)
        mixed = jax.tree.map(lambda leaf: np.tensordot(phi, leaf, 1), theta)
        cast = lambda leaf, like: jnp.asarray(leaf, like.dtype)
        solver = problem.family.build(jax.tree.map(cast, mixed, theta))
        return jax.tree.map(np.asarray, solver)

    return conditional(build, problem.basis.low, problem.basis.high, tolerance=_NEAR)


def _history(log: Sequence[Noted], before: int) -> History:
    """The entries, without the evaluations of the budgets before this one."""
    loss, score, spent, seconds = (np.asarray(x) for x in zip(*log, strict=True))
    return History(np.arange(len(log)), loss, score, spent - before, seconds)

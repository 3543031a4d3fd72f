"""Race, improve and score: the search for one solver on given paths."""

import json
import math
from typing import Any, NamedTuple

import jax
import numpy as np

from bespoke_jax.core.budget import TooLittle
from bespoke_jax.core.solver import Solver
from bespoke_jax.families import Family
from bespoke_jax.fitting.candidates import Candidate, Dropped
from bespoke_jax.fitting.history import History
from bespoke_jax.fitting.improve import Problem, Track, improve
from bespoke_jax.fitting.race import PILOTS, Start, diverse, race, rungs
from bespoke_jax.fitting.splits import three_way
from bespoke_jax.reference.paths import Paths, take

_SHARE = 0.2  # of the budget, for the race
_TIME = 0.7  # of the seconds, by which the race is over


class Tailored(NamedTuple):
    """A tailored solver and how it came about."""

    theta: Any
    solver: Solver
    family: Family
    start: str
    """The start that led to it."""
    starts: tuple[Start, ...]
    """All measured starts, best first."""
    history: History
    """One entry per step, the first is the best start: rmse is the choosing paths'
    score of the best iterate so far. Evaluations include everything."""
    judge: str
    """"mean" or "median": what the scores are, over samples, of the RMS errors."""
    rmse: float
    """Score of the solver on the paths that chose nothing."""
    start_rmse: float
    """Score of the best start on the same paths."""
    scored: int
    """How many paths these are."""
    paths: Paths
    """The ground truth, solved for or given."""
    dropped: tuple[Dropped, ...]
    """Starts and tracks that failed, and why."""

    @property
    def loss(self) -> str:
        """What was made small, in words."""
        return f"robust end-point errors, judged by their {self.judge}"

    @property
    def evaluations(self) -> int:
        """Network evaluations spent, ground truth and scores included."""
        return int(self.history.evaluations[-1])


def search(
    problem: Problem, paths: Paths, found: list[Candidate], dropped: list[Dropped]
) -> Tailored:
    """Race, improve and score.

    Args:
        problem: what is searched for, and with what means.
        paths: the ground truth.
        found: what the search can start from.
        dropped: what could not be made, for the report.
    """
    recipe = problem.recipe
    training, validation, test = three_way(paths, recipe.validation, recipe.test)
    family, budget, measure = problem.family, problem.budget, problem.judge.measure
    budget.reserve(2 * problem.nfe * test.size)
    measured, lost = _race(problem, found, training, validation)
    tracks = _tracks(problem, measured, validation, len(found) + len(dropped))
    first = min(tracks, key=lambda track: track.score)
    best, log, failed = improve(problem, tracks, training, validation)
    budget.release()
    score, start_score = (
        float(problem.journal.once(lambda t=t: [measure(problem.errors(t, test))])[0])
        for t in (best.theta, first.theta)
    )
    log[-1] = (*log[-1][:3], budget.spent, budget.elapsed)
    return Tailored(
        theta=best.theta,
        solver=jax.tree.map(np.asarray, family.build(best.theta)),
        family=family,
        start=best.name,
        starts=tuple(measured),
        history=History(*(np.array(column) for column in zip(*log, strict=True))),
        judge=recipe.judge,
        rmse=score,
        start_rmse=start_score,
        scored=test.size,
        paths=paths,
        dropped=(*dropped, *lost, *failed),
    )


def _race(
    problem: Problem, found: list[Candidate], training: Paths, validation: Paths
) -> tuple[list[Start], list[Dropped]]:
    """The starts, best first, after a race that keeps to its share of the budget."""
    nfe, budget = problem.nfe, problem.budget
    keep = problem.judge.rounds[0][0]
    given = sum(candidate.given for candidate in found)
    allowance = min(_SHARE * budget.evaluations, budget.left)
    finals = (keep + given) * validation.size
    while keep > 1 and 2 * finals * nfe > allowance:
        keep, finals = keep - 1, finals - validation.size
    pilots = min(PILOTS, training.size)
    plan = rungs(len(found), pilots, keep, allowance / nfe - finals)
    if not plan:
        raise TooLittle(
            int(budget.evaluations), budget.spent + int((1 + finals) * nfe / _SHARE)
        )

    def run() -> list[Any]:
        result = race(
            found,
            plan,
            lambda start, a, b: problem.errors(
                start.theta, take(training, slice(a, b))
            ),
            problem.judge.measure,
            late=lambda: budget.elapsed > _TIME * budget.seconds,
            progress=problem.progress,
        )
        lost = json.dumps(result.dropped).encode()
        return [result.order, result.scores, np.frombuffer(lost, np.uint8)]

    order, scores, lost = problem.journal.once(run)
    measured = [
        Start(candidate.name, candidate.method, float(score), *candidate[2:])
        for candidate, score in zip((found[i] for i in order), scores, strict=True)
    ]
    reasons = json.loads(lost.tobytes())
    return measured, [Dropped(found[i].name, reason) for i, reason in reasons]


def _tracks(
    problem: Problem, measured: list[Start], validation: Paths, tried: int
) -> list[Track]:
    """The best starts and all given ones, with their scores on the choosing paths."""
    best = diverse(measured, problem.judge.rounds[0][0])
    chosen = best + [s for s in measured if s.given and s not in best]
    tracks = []
    for start in chosen:
        if tracks and not problem.budget.affords(problem.nfe * validation.size):
            break
        score = problem.journal.once(
            lambda start=start: [
                problem.judge.measure(problem.errors(start.theta, validation))
            ]
        )
        tracks.append(Track(start.name, start.theta, float(score[0])))
    finite = [track for track in tracks if math.isfinite(track.score)]
    if not finite:
        raise ValueError(
            f"none of {tried} starts solves this field at {problem.nfe} evaluations; "
            "check the field, its end and its schedule."
        )
    return finite

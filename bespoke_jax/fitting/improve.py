"""Rounds of Levenberg-Marquardt steps from several starts, within a budget.

Every start opens a track. After each round the better half continues with more paths; a
track that fails is dropped. Each step is recorded in the journal, so that an
interrupted run resumes where it stopped.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from bespoke_jax.core.budget import Budget
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.families import Family
from bespoke_jax.fitting import gauss_newton
from bespoke_jax.fitting.candidates import Dropped
from bespoke_jax.fitting.journal import Journal
from bespoke_jax.fitting.recipe import Judge, Recipe
from bespoke_jax.reference.paths import Paths, take

LOST = 1e4
"""Damping at which a track has nothing left to gain."""
_TRIES = 6  # dampings a step may try
_LEFT = (0.3, 0.4, 1.0)  # share of what is left that a round may spend


class Problem(NamedTuple):
    """What every part of a search needs."""

    field: VelocityField
    family: Family
    recipe: Recipe
    key: jax.Array
    budget: Budget
    journal: Journal
    progress: bool

    @property
    def nfe(self) -> int:
        """Network evaluations of one solve."""
        return self.recipe.nfe

    @property
    def judge(self) -> Judge:
        """What is to be small."""
        return self.recipe.rules

    def errors(self, theta: Any, paths: Paths) -> np.ndarray:
        """Per-sample errors of a solver, paid for."""
        e = gauss_newton.errors(
            self.family, theta, self.field, paths, batch_size=self.recipe.batch_size
        )
        self.budget.pay(self.nfe * paths.size)
        return e


class Track(NamedTuple):
    """A start, and how far it has been improved."""

    name: str
    theta: Any
    score: float
    """On the choosing paths."""
    damping: float = 1e-2
    done: int = 0
    """Steps taken."""


class Improved(NamedTuple):
    """The outcome of all rounds."""

    best: Track
    log: list[tuple[float, ...]]
    """(number, loss, best score so far, evaluations, seconds) of the start and of every
    step."""
    dropped: list[Dropped]


def improve(
    problem: Problem, tracks: Sequence[Track], training: Paths, validation: Paths
) -> Improved:
    """Improve the tracks round by round; the best iterate on the validation paths."""
    budget, running = problem.budget, list(tracks)
    best = min(running, key=lambda track: track.score)
    log = [(0, math.nan, best.score, budget.spent, budget.elapsed)]
    dropped: list[Dropped] = []
    total = sum(count * steps for count, steps, _ in problem.judge.rounds)
    with tqdm(
        total=total, desc="tailor", unit="step", disable=not problem.progress
    ) as bar:

        def note(track: Track, loss: float) -> None:
            nonlocal best
            best = min(best, track, key=lambda track: track.score)
            log.append((len(log), loss, best.score, budget.spent, budget.elapsed))
            bar.update()
            bar.set_postfix_str(
                f"{track.name}, best {best.score:.3g} (start {log[0][2]:.3g}), "
                f"{budget.spent:.2g} evaluations"
            )

        for number, (count, steps, share) in enumerate(problem.judge.rounds):
            used = take(training, slice(0, max(1, round(share * training.size))))
            running.sort(key=lambda track: track.score)
            count, steps = _affordable(
                problem, number, min(count, len(running)), steps, used, validation
            )
            after = []
            for track in running[:count]:
                try:
                    after.append(
                        _advance(problem, number, steps, track, used, validation, note)
                    )
                except Exception as error:  # one track, not the search
                    dropped.append(Dropped(track.name, f"{error}"[:200]))
            # Without a step there is nothing to choose: all go on.
            running = after if count else running
            if not running:
                break
    return Improved(best, log, dropped)


def _affordable(
    problem: Problem,
    number: int,
    count: int,
    steps: int,
    used: Paths,
    validation: Paths,
) -> tuple[int, int]:
    """As many tracks and steps of a round as its share of the budget pays for."""
    if math.isinf(problem.budget.left):
        return count, steps
    unit = gauss_newton.cost(problem.nfe, used.size, problem.recipe.probes, 2)
    unit += problem.nfe * validation.size
    allowed = int(_LEFT[number] * problem.budget.left // unit)
    # Two steps of one track say more than one step of two.
    count = min(count, max(1, allowed // 2))
    return (count, min(steps, allowed // count)) if allowed else (0, 0)


def _advance(
    problem: Problem,
    number: int,
    steps: int,
    track: Track,
    used: Paths,
    validation: Paths,
    note: Callable[[Track, float], None],
) -> Track:
    """Up to `steps` steps of one track."""
    judge, budget = problem.judge, problem.budget
    if not budget.affords(problem.nfe * used.size, seconds=budget.slowest):
        return track
    (known,) = problem.journal.once(lambda: [problem.errors(track.theta, used)])
    gains: list[float] = []
    for _ in range(steps):
        tries = _tries(problem, used, validation)
        if (
            tries < 1
            or track.damping > LOST
            or _died_out(gains, judge.dead, judge.patience)
            or not budget.affords(0, seconds=budget.slowest)
        ):
            break
        began = budget.elapsed
        scale = _scale(judge, number, track.done, known)
        track, known, loss = _step(
            problem, track, used, validation, known, scale, tries
        )
        budget.slowest = max(budget.slowest, budget.elapsed - began)
        gains.append(float(judge.measure(known)))
        note(track, loss)
    return track


def _tries(problem: Problem, used: Paths, validation: Paths) -> int:
    """Dampings that the next step may try within the budget."""
    left = problem.budget.left - problem.nfe * validation.size
    if math.isinf(left):
        return _TRIES
    without = gauss_newton.cost(problem.nfe, used.size, problem.recipe.probes, 0)
    return min(_TRIES, int((left - without) // (problem.nfe * used.size)))


def _step(
    problem: Problem,
    track: Track,
    used: Paths,
    validation: Paths,
    known: np.ndarray,
    scale: float,
    tries: int,
) -> tuple[Track, np.ndarray, float]:
    """One step and its score, or those that an interrupted run has saved."""

    def compute() -> list[Any]:
        # The evaluations spent so far tell every step from every other one.
        made = gauss_newton.step(
            problem.family,
            track.theta,
            problem.field,
            used,
            key=jax.random.fold_in(problem.key, problem.budget.spent),
            c=scale,
            probes=problem.recipe.probes,
            damping=track.damping,
            tries=tries,
            before=known,
            batch_size=problem.recipe.batch_size,
        )
        problem.budget.pay(made.evaluations)
        score = problem.judge.measure(problem.errors(made.theta, validation))
        leaves = jax.tree.leaves(made.theta)
        return [made.loss, made.damping, made.errors, score, *leaves]

    loss, damping, known, score, *leaves = problem.journal.once(compute)
    structure = jax.tree.structure(track.theta)
    theta = jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in leaves])
    track = Track(track.name, theta, float(score), float(damping), track.done + 1)
    return track, known, float(loss)


def _scale(judge: Judge, number: int, done: int, known: np.ndarray) -> float:
    """The robustness scale c: infinite for the mean, falling towards the median."""
    if not judge.robust or number == 0:
        return math.inf
    return float(np.median(known)) * max(1.0, 8 * 0.8 ** (done - judge.rounds[0][1]))


def _died_out(scores: list[float], dead: float, patience: int) -> bool:
    return len(scores) > patience and scores[-1] > (1 - dead) * scores[-1 - patience]

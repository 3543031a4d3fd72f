"""Incremental Gauss-Newton: one batch of paths after another.

Where it was last looked at, theta_s, the loss of batch s has the quadratic model

    m_s(theta) = g_s . (theta - theta_s) + (theta - theta_s) . H_s (theta - theta_s) / 2

with gradient and curvature of `gauss_newton`. A step renews the model of one batch and
minimises the sum of all that there are, damped as by Marquardt,

    (H + lambda diag H) delta = -sum_s (g_s + H_s (theta - theta_s)),    H = sum_s H_s.

So every step rests on all paths seen so far, at the price of one batch, and the noise
of the probed curvatures averages out. A step that raises the score on the choosing
paths by more than 3 % is tried again with a larger lambda.

Reference: Bertsekas (1996), Incremental least squares methods and the extended Kalman
filter, SIAM Journal on Optimization 6(3); Levenberg (1944); Marquardt (1963).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from tqdm import tqdm

from bespoke_jax.core.hosts import shows
from bespoke_jax.core.types import Theta
from bespoke_jax.fitting import gauss_newton
from bespoke_jax.fitting.data import Data
from bespoke_jax.fitting.effort import Descent
from bespoke_jax.fitting.problem import Problem, Track

SLACK = 1.03
"""A step may raise the score by this factor: scores are of few paths."""
_TRIES = 4
_FALL, _RISE = 1 / 3, 5.0  # of the damping
_DEAD, _PATIENCE = 0.01, 3  # the descent ends if as many passes gain less than this


class _Model(NamedTuple):
    at: np.ndarray
    gradient: np.ndarray
    curvature: np.ndarray


class Noted(NamedTuple):
    """One entry of the history."""

    loss: float
    """Score of the batch before the step."""
    score: float
    """Best score so far on the choosing paths."""
    evaluations: int
    seconds: float


def cost(nfe: int, probes: int, check: int, batch: int) -> float:
    """Evaluations of a step per path of its batch: solve, pull back, try, choose."""
    return nfe + (nfe - 1) * (1 + 2 * probes) + 1.2 * nfe * check / batch


def descend(
    problem: Problem,
    start: Track,
    training: Data,
    choosing: Data,
    plan: Descent,
    note: Callable[[Noted], object],
) -> tuple[list[Track], str]:
    """The best iterate on the choosing paths and the last one; why it broke off, or "".

    Args:
        problem: what is searched for, and with what means.
        start: where to begin, with its score on the choosing paths.
        training: paths that are fitted.
        choosing: paths that accept steps and choose among iterates.
        plan: batches and passes.
        note: told of every step.
    """
    budget, models = problem.budget, {}
    best, track, damping, scores = start, start, 1e-2, [start.score]
    total, failure = plan.passes * plan.batches, ""
    with tqdm(
        total=total, desc=f"{problem.nfe} NFE", unit="step",
        disable=not shows(problem.progress),
    ) as bar:  # fmt: skip
        for number in range(total):
            place = number % plan.batches
            if number and not place:
                scores.append(best.score)
                known = len(scores) > _PATIENCE
                if known and best.score > (1 - _DEAD) * scores[-1 - _PATIENCE]:
                    break
            batch = training.cut(place * plan.batch, (place + 1) * plan.batch)
            least = _least(problem, batch, choosing)
            if not budget.affords(least, seconds=budget.slowest):
                break
            began = budget.elapsed
            try:
                track, damping, models[place], loss = _step(
                    problem, track, damping, models, place, batch, choosing
                )
            except Exception as error:  # this step, not those before it
                failure = f"{type(error).__name__}: {error}"[:200]
                break
            best = min(best, track, key=lambda one: one.score)
            budget.slowest = max(budget.slowest, budget.elapsed - began)
            note(Noted(loss, best.score, budget.spent, budget.elapsed))
            bar.update()
            bar.set_postfix_str(f"best {best.score:.3g} (start {start.score:.3g})")
    return [best] if track is best else [best, track], failure


def _least(problem: Problem, batch: Data, choosing: Data) -> int:
    """Evaluations of a step that tries one damping."""
    n, probes = problem.nfe, problem.recipe.probes
    return n * (batch.size + choosing.size) + gauss_newton.cost(
        n, batch.size, probes, 0
    )


def _step(
    problem: Problem,
    track: Track,
    damping: float,
    models: dict[int, _Model],
    place: int,
    batch: Data,
    choosing: Data,
) -> tuple[Track, float, _Model, float]:
    """One step, or the one that an interrupted run has saved."""

    def compute() -> list[np.ndarray | float]:
        point = problem.solved(track.theta, batch)
        c = float(np.median(point.errors)) if problem.judge.robust else math.inf
        # The evaluations spent so far tell every step from every other one.
        key = jax.random.fold_in(problem.key, problem.budget.spent % 2**32)
        model = _model(problem, point, batch, key, c)
        loss = float(problem.judge.measure(point.errors))
        made, lam = _move(problem, track, {**models, place: model}, damping, choosing)
        flat = np.asarray(ravel_pytree(made.theta)[0])
        return [loss, made.score, lam, *model, flat]

    loss, score, lam, *model, flat = problem.journal.once(compute)
    theta = ravel_pytree(track.theta)[1](jnp.asarray(flat))
    made = track._replace(theta=theta, score=float(score))
    return made, float(lam), _Model(*model), float(loss)


def _model(
    problem: Problem,
    point: gauss_newton.Point,
    batch: Data,
    key: jax.Array,
    c: float,
) -> _Model:
    flat = np.asarray(ravel_pytree(point.theta)[0], np.float64)
    gradient, curvature = gauss_newton.normal_equations(
        problem.family, point, problem.field, batch, key=key, c=c,
        probes=problem.recipe.probes, batch_size=problem.recipe.batch_size,
    )  # fmt: skip
    problem.budget.pay(
        gauss_newton.cost(problem.nfe, batch.size, problem.recipe.probes, 0)
    )
    return _Model(flat, gradient, curvature)


def _move(
    problem: Problem,
    track: Track,
    models: dict[int, _Model],
    damping: float,
    choosing: Data,
) -> tuple[Track, float]:
    """The track after a step, or as it was where no damping tried will do."""
    flat, unravel = ravel_pytree(track.theta)
    at = np.asarray(flat, np.float64)
    H = sum(model.curvature for model in models.values())
    slope = sum(m.gradient + m.curvature @ (at - m.at) for m in models.values())
    diagonal = np.diag(H) + 1e-12 * np.trace(H) + 1e-300
    for number in range(_TRIES):
        affords = problem.budget.affords(problem.nfe * choosing.size)
        if number and not affords:
            break
        delta = np.linalg.solve(H + np.diag(damping * diagonal), -slope)
        theta: Theta = unravel(flat + jnp.asarray(delta, flat.dtype))
        score = problem.score(theta, choosing)
        if score <= SLACK * track.score:
            return track._replace(theta=theta, score=score), max(damping * _FALL, 1e-9)
        damping *= _RISE
    return track, damping

"""Incremental Gauss-Newton: its equation, its minimiser, its account, its journal."""

import math

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from tailor_cases import (
    END,
    FAMILY,
    FIELD,
    SCHEDULE,
    counted,
    ends,
    problem,
    theta,
    weights,
)  # fmt: skip

import bespoke_jax as bj
from bespoke_jax.fitting import gauss_newton, incremental
from bespoke_jax.fitting.data import Data
from bespoke_jax.fitting.effort import Descent
from bespoke_jax.fitting.problem import Track

TRAINING, CHOOSING = (
    Data(bj.paths.take(ends(), part)) for part in (slice(0, 48), slice(48, 72))
)


def start(made, choosing=CHOOSING, at=None):
    at = theta() if at is None else at
    return Track("start", at, made.score(at, choosing))


def descend(made, plan, training=TRAINING, choosing=CHOOSING):
    """The tracks, and what was noted."""
    notes = []
    first = start(made, choosing)
    tracks, failure = incremental.descend(
        made, first, training, choosing, plan, notes.append
    )
    assert not failure
    return tracks, notes


@pytest.fixture
def moves(monkeypatch):
    """(track before, damping before, track after) of every step."""
    real, seen = incremental._move, []

    def move(problem, track, models, damping, choosing):
        made = real(problem, track, models, damping, choosing)
        seen.append((track, damping, made[0]))
        return made

    monkeypatch.setattr(incremental, "_move", move)
    return seen


def flat(track):
    return np.asarray(ravel_pytree(track.theta)[0])


@pytest.mark.slow
def test_of_one_batch_it_is_a_step_of_marquardt(moves):
    descend(problem(), Descent(48, 1, 4))
    accepted = 0
    for before, damping, after in moves:
        assert after.score <= 1.03 * before.score
        move = flat(after) - flat(before)
        if not move.any():  # no damping would do
            continue
        point = gauss_newton.solved(FAMILY, before.theta, FIELD, TRAINING)
        gradient, H = gauss_newton.normal_equations(
            FAMILY, point, FIELD, TRAINING, key=jax.random.key(0)
        )
        solve = lambda lam, g=gradient, H=H: np.linalg.solve(
            H + lam * np.diag(np.diag(H)), -g
        )
        # Of the dampings that it may have come to, one gives the step.
        errors = [np.abs(move - solve(damping * 5**k)).max() for k in range(4)]
        assert min(errors) < 1e-6 * np.abs(move).max() < sorted(errors)[1]
        accepted += 1
    assert accepted >= 2


AFFINE = bj.families.nonstationary(1, schedule=SCHEDULE, end=END)
"""Of one row: the sample is affine in its two numbers."""


def affine():
    """x_1 = A theta + x of the training paths, (48, 3, 2) and (48, 3)."""
    at, unravel = ravel_pytree(AFFINE.init())
    run = lambda flat: bj.sample(FIELD, AFFINE.build(unravel(flat)), TRAINING.paths.x0)
    A = np.asarray(jax.jacfwd(run)(at))
    return A, np.asarray(run(at)) - A @ np.asarray(at)


def least_squares(A, r, w):
    """min sum_s w_s |r_s + A_s theta|^2."""
    root = np.sqrt(w)[:, None]
    found, *_ = np.linalg.lstsq(
        (root[..., None] * A).reshape(-1, A.shape[2]), -(root * r).ravel(), rcond=None
    )
    return found


@pytest.mark.slow
def test_a_pass_over_batches_gives_the_minimiser_of_the_whole():
    """Of quadratic losses, wherever each batch was looked at."""
    made, A, at0 = problem(AFFINE, nfe=1), *affine()
    r0 = at0 - np.asarray(TRAINING.paths.x1)
    rng, models, w = np.random.default_rng(0), {}, []
    first, unravel = ravel_pytree(AFFINE.init())
    for place in range(3):
        batch = TRAINING.cut(16 * place, 16 * place + 16)
        at = unravel(first + 0.1 * rng.normal(size=first.shape))
        point = made.solved(at, batch)
        models[place] = incremental._model(
            made, point, batch, jax.random.key(place), math.inf
        )
        w.append(weights(point.errors))
    track = Track("anywhere", AFFINE.init(), math.inf)
    found, _ = incremental._move(made, track, models, 0.0, CHOOSING)
    want = least_squares(A, r0, np.concatenate(w))
    np.testing.assert_allclose(flat(found), want, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_more_passes_minimise_the_mean_of_the_errors():
    """Weights that are made anew at each visit have that fixed point."""
    A, at0 = affine()
    r0 = at0 - np.asarray(TRAINING.paths.x1)
    best = np.asarray(ravel_pytree(AFFINE.init())[0])
    for _ in range(200):
        e = np.sqrt(((r0 + A @ best) ** 2).mean(1))
        best = least_squares(A, r0, weights(e))
    least = np.sqrt(((r0 + A @ best) ** 2).mean(1)).mean()
    made = problem(AFFINE, nfe=1)
    first = start(made, TRAINING, AFFINE.init())
    found, _ = incremental.descend(
        made, first, TRAINING, TRAINING, Descent(16, 3, 10), lambda _: None
    )
    assert first.score > 1.01 * least
    assert least * (1 - 1e-9) <= found[0].score <= 1.002 * least


@pytest.mark.slow
def test_scores_rise_by_no_more_than_the_slack(moves):
    choosing = Data(bj.paths.take(ends(), slice(48, 52)))  # few: their score is rough
    tracks, notes = descend(problem(), Descent(8, 6, 4), choosing=choosing)
    assert len(moves) == len(notes) > 12
    scores = [before.score for before, *_ in moves] + [moves[-1][2].score]
    assert np.all(np.divide(scores[1:], scores[:-1]) <= incremental.SLACK)
    best = np.minimum.accumulate(scores)
    np.testing.assert_array_equal([note.score for note in notes], best[1:])
    assert tracks[0].score == best[-1] < 0.6 * scores[0]
    assert tracks[-1].score == scores[-1]
    for damping, after in zip(
        [m[1] for m in moves], [m[1] for m in moves][1:], strict=False
    ):
        assert after <= max(damping / 3, 1e-9) * (1 + 1e-12) or after > damping / 3


@pytest.mark.slow
def test_flipped_samples_do_not_rule_the_robust_fit():
    far = Data(TRAINING.paths._replace(x1=TRAINING.paths.x1.at[:4].add(50.0)))
    plan = Descent(48, 1, 12)
    flipped = descend(problem(judge="median"), plan, far)[0][0]
    clean = descend(problem(judge="median"), plan)[0][0]
    assert flipped.score < 0.15 * start(problem(judge="median")).score
    assert flipped.score < 1.3 * clean.score


@pytest.mark.slow
def test_what_is_paid_is_what_the_field_was_asked_for():
    """Forward ones are counted by the field as it runs; reverse ones are 2 more."""
    seen = []
    made = problem(f=counted(seen))
    descend(made, Descent(24, 2, 2))
    jax.effects_barrier()
    steps = 4
    assert made.budget.spent == sum(seen) + steps * 2 * 24 * 2 * 3


@pytest.mark.slow
def test_a_budget_is_kept_to_the_evaluation():
    """And nothing is left that pays for a step more."""
    step = 24 * (3 + 2 * 7) + 3 * 24
    first, steps = 3 * 24, []
    for more in (0, step - 1, step, 2 * step + 5, 3 * step + 250):
        made = problem(evaluations=first + more)
        _, notes = descend(made, Descent(24, 2, 2))
        assert made.budget.spent <= first + more
        assert first + more - made.budget.spent < step or len(notes) == 4
        assert [note.evaluations for note in notes] == sorted(
            note.evaluations for note in notes
        )
        steps.append(len(notes))
    assert steps[:3] == [0, 0, 1] and steps == sorted(steps) and steps[-1] >= 2


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    plan = Descent(16, 3, 2)
    whole, told = descend(problem(), plan)
    real, calls = gauss_newton.normal_equations, []

    def broken(*args, **options):
        calls.append(None)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(gauss_newton, "normal_equations", broken)
    made = problem(folder=tmp_path)
    with made.journal, pytest.raises(KeyboardInterrupt):
        descend(made, plan)
    monkeypatch.setattr(gauss_newton, "normal_equations", real)
    made = problem(folder=tmp_path)
    with made.journal:
        again, notes = descend(made, plan)
    assert [note[:3] for note in notes] == [note[:3] for note in told]
    for ours, theirs in zip(again, whole, strict=True):
        np.testing.assert_array_equal(flat(ours), flat(theirs))
        assert ours.score == theirs.score
    # All of it is there now: nothing is computed.
    monkeypatch.setattr(gauss_newton, "normal_equations", None)
    made = problem(folder=tmp_path)
    with made.journal:
        np.testing.assert_array_equal(flat(descend(made, plan)[0][0]), flat(whole[0]))

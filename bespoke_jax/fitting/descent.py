"""The iterations of `fit`: one compiled loop between two validations, and its accounts.

Batches are drawn from (key, iteration), so an iteration does not depend on where a run
was interrupted or how its iterations were cut into pieces.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding

from bespoke_jax.core.batches import sample_sharding
from bespoke_jax.core.budget import Budget
from bespoke_jax.fitting.history import History
from bespoke_jax.fitting.joint import objective
from bespoke_jax.fitting.task import Task
from bespoke_jax.reference.paths import Paths, take

_MARGIN = 1.2  # of measured times, which vary


class TrainState(NamedTuple):
    """Everything the next iteration needs."""

    theta: Any
    opt_state: Any
    iteration: jax.Array
    """() iterations done."""
    alive: jax.Array
    """() False once a loss or gradient was not finite; theta is frozen from then on."""


class Run(NamedTuple):
    """How far a fit has come: what a checkpoint holds."""

    state: TrainState
    best_theta: Any
    best: np.ndarray
    """() lowest finite validation error; inf as long as there is none."""
    test: np.ndarray
    """Test errors of the start and, once it is known, of best_theta."""
    spent: np.ndarray
    """() network evaluations."""
    history: History

    @property
    def place(self) -> int:
        """A number that increases with every change that is saved."""
        return 2 * self.history.iteration.size + self.test.size


def unstarted(task: Task, theta: Any) -> Run:
    """The start, not yet scored."""
    state = TrainState(
        theta,
        task.options.optimizer.init(theta),
        jnp.zeros((), jnp.int32),
        jnp.array(True),
    )
    history = History(*(np.zeros(0) for _ in History._fields))
    return Run(state, theta, np.asarray(math.inf), np.zeros(0), np.asarray(0), history)


def begin(task: Task, run: Run, budget: Budget) -> Run:
    """The start with its scores on the validation and the test paths."""
    held_out, test = task.parts.validation, task.parts.test
    run = run._replace(test=np.asarray([task.score(run.best_theta, test)]))
    score = task.score(run.best_theta, held_out)
    budget.pay(task.score_price(held_out) + task.score_price(test))
    return _noted(run, run.state, math.nan, score, budget, alive=True)


def finish(task: Task, run: Run, budget: Budget) -> Run:
    """With the test error of the best iterate, unless it is known or there is none."""
    if run.test.size == 2 or not math.isfinite(run.best):
        return run
    budget.pay(task.score_price(task.parts.test))
    score = task.score(run.best_theta, task.parts.test)
    return run._replace(test=np.append(run.test, score), spent=np.asarray(budget.spent))


def iterate(task: Task, run: Run, budget: Budget) -> Iterator[Run]:
    """The run after each validation.

    Ends when the iterations are done, a bound is met or a number is not finite. The
    price of the last test is kept back from the budget.

    Raises:
        ValueError: the seconds are over before the first iteration.
    """
    held_out = task.parts.validation
    price = task.score_price(held_out)
    budget.reserve(task.score_price(task.parts.test))
    clock, options = _Clock(budget), task.options
    while (done := int(run.state.iteration)) < options.iterations and run.state.alive:
        paid = (budget.left - price) // task.price if task.price else math.inf
        length = min(options.validate_every, options.iterations - done, paid)
        if clock.bounded and clock.step is None:
            _piece(task, run.state, 0)  # compiles
        length = int(min(length, clock.fits(1 + task.parts.test.size / held_out.size)))
        if length < 1:
            if clock.bounded and done == 0:
                raise ValueError(
                    f"seconds={budget.seconds:g} is too little: checks, compilation "
                    f"and the scores of the start alone took {budget.elapsed:.3g}."
                )
            break
        began = budget.elapsed
        state, loss = _piece(task, run.state, length)
        trained = budget.elapsed
        score = task.score(state.theta, held_out)
        clock.note((trained - began) / length, budget.elapsed - trained)
        budget.pay((int(state.iteration) - done) * task.price + price)
        run = _noted(run, state, loss, score, budget)
        yield run
    budget.release()


def _noted(
    run: Run,
    state: TrainState,
    loss: float,
    score: float,
    budget: Budget,
    *,
    alive: bool = False,
) -> Run:
    """The run after one more validation; alive: go on even if it is not finite."""
    if not (alive or math.isfinite(score)):
        state = state._replace(alive=jnp.array(False))
    better = score < run.best  # False for nan
    entry = (int(state.iteration), loss, score, budget.spent, budget.elapsed)
    columns = zip(run.history, entry, strict=True)
    return Run(
        state,
        state.theta if better else run.best_theta,
        np.asarray(score) if better else run.best,
        run.test[:1] if better else run.test,
        np.asarray(budget.spent),
        History(*(np.append(column, value) for column, value in columns)),
    )


class _Clock:
    """How many iterations still fit into the seconds of a budget, as measured."""

    def __init__(self, budget: Budget):
        self._budget = budget
        self.bounded = math.isfinite(budget.seconds)
        self.step: float | None = None
        self._score = 0.0
        self._seen: list[tuple[float, float]] = []

    def note(self, step: float, score: float) -> None:
        """The seconds of one iteration and of one validation."""
        self._seen = [*self._seen[-3:], (step, score)]
        self.step, self._score = (
            max(column) for column in zip(*self._seen, strict=True)
        )

    def fits(self, scores: float) -> float:
        """Iterations before the bound, with time left for `scores` validations."""
        if not self.bounded:
            return math.inf
        left = self._budget.seconds - self._budget.elapsed
        if self.step is None:  # nothing measured yet: a first iteration, if any
            return 1.0 if left > 0 else 0.0
        return (left - _MARGIN * scores * self._score) / (_MARGIN * self.step)


def _piece(task: Task, state: TrainState, length: int) -> tuple[TrainState, float]:
    """`length` iterations and their mean loss."""
    training = task.parts.training
    state, total = _loop(
        task.family, task.options.loss, task.options.optimizer, task.options.batch_size,
        sample_sharding(task.like, task.options.batch_size), state, task.field,
        training, task.key, length,
    )  # fmt: skip
    return state, float(total) / max(length, 1)


@partial(
    jax.jit, static_argnames=("family", "loss", "optimizer", "batch_size", "placement")
)
def _loop(
    family, loss, optimizer, batch_size, placement, state, field, paths, key, length
):
    """Optimiser steps and the sum of their losses; freezes at a non-finite number.

    The length is no constant: pieces of any length are one compiled program.
    """

    def step(_, carry):
        state, total = carry
        # Drawn from (key, iteration): a resumed run sees the same batches.
        draw = jax.random.fold_in(key, state.iteration)
        index = jax.random.choice(draw, paths.size, (batch_size,), replace=False)
        batch = _placed(take(paths, index), placement)
        of_theta = lambda theta: objective(loss, family, theta, field, batch)
        value, gradient = jax.value_and_grad(of_theta)(state.theta)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.theta)
        theta = optax.apply_updates(state.theta, updates)
        finite = [jnp.isfinite(value)] + [
            jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((gradient, theta))
        ]
        alive = state.alive & jnp.stack(finite).all()
        new = TrainState(theta, opt_state, state.iteration + 1, alive)
        keep = lambda new, old: jnp.where(alive, new, old)
        state = jax.tree.map(keep, new, state._replace(alive=alive))
        return state, total + value.astype(total.dtype)

    return jax.lax.fori_loop(0, length, step, (state, jnp.zeros(())))


def _placed(batch: Paths, placement: NamedSharding | None) -> Paths:
    if placement is None:
        return batch
    put = lambda leaf: jax.lax.with_sharding_constraint(leaf, placement)
    names = ("x0", "x1", "c", "states", "slopes")
    return batch._replace(**{k: jax.tree.map(put, getattr(batch, k)) for k in names})

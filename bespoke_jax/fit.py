"""Fit a family to a field: any optax optimiser, one jitted scan between validations.

The network is never changed. Each iteration draws a batch of ground-truth paths and
takes one optimiser step on theta; every `validate_every` iterations the solver is run
on held-out noises and the best iterate so far is kept (the start is iterate 0). Batches
depend on (key, iteration) alone, so a run that is killed and repeated with the same
`directory` ends in bitwise the same theta.
"""

import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from bespoke_jax import losses
from bespoke_jax.checkpoint import Checkpoints, fingerprint
from bespoke_jax.core.calls import as_field, velocity
from bespoke_jax.families import Family
from bespoke_jax.paths import Paths, rms, split, take
from bespoke_jax.solver import sample
from bespoke_jax.table import Solver


class TrainState(NamedTuple):
    """Everything the next iteration needs."""

    theta: Any
    opt_state: Any
    iteration: jax.Array
    """() iterations done."""
    alive: jax.Array
    """() False once a loss or gradient was not finite; theta is frozen from then on."""


class History(NamedTuple):
    """One entry per validation; the first is the start."""

    iteration: np.ndarray
    loss: np.ndarray
    """Mean training loss since the last validation; nan at the start."""
    rmse: np.ndarray
    """Mean RMSE on the held-out paths; nan where the solver diverged."""
    evaluations: np.ndarray
    """Network evaluations spent on training so far (forward 1, reverse 2)."""
    seconds: np.ndarray


class Fitted(NamedTuple):
    """A fitted solver: the best validation iterate, and how it came about."""

    theta: Any
    solver: Solver
    history: History
    state: TrainState

    @property
    def rmse(self) -> float:
        """Validation RMSE of the solver."""
        return float(np.nanmin(self.history.rmse))

    @property
    def start_rmse(self) -> float:
        """Validation RMSE of the solver that the fit started from."""
        return float(self.history.rmse[0])


class _Run(NamedTuple):
    """What a checkpoint holds."""

    state: TrainState
    best_theta: Any
    history: History


def fit(
    family: Family,
    field: Any,
    paths: Paths,
    *,
    key: jax.Array,
    start: Any = None,
    loss: Any = losses.rmse_bound,
    optimizer: optax.GradientTransformation | None = None,
    iterations: int = 1000,
    batch_size: int = 64,
    validation: float | Paths = 0.2,
    validate_every: int = 25,
    directory: str | Path | None = None,
    save_seconds: float = 10.0,
    progress: bool = True,
) -> Fitted:
    """Fit theta so that the family's solver follows the ground-truth paths of a field.

    Args:
        family: from `bespoke_jax.families`.
        field: the velocity field that the paths solve.
        paths: ground truth from `reference.solve`.
        key: source of the batches.
        start: iterate 0: a Solver that lies in the family, a theta (such as
            `families.from_schedules` returns), or None for the family's base solver.
        loss: `loss(family, theta, field, paths) -> ()`, from `bespoke_jax.losses`.
        optimizer: any optax optimiser; None is Adam at the paper's 2e-3.
        iterations: optimiser steps.
        batch_size: paths per step, at most the number of training paths.
        validation: fraction of the paths held out (the last ones), or other Paths.
        validate_every: iterations between validations.
        directory: where to keep checkpoints. The same call with the same directory
            resumes; a finished one returns at once.
        save_seconds: least time between two checkpoints.
        progress: show a progress bar.

    Returns:
        The best validation iterate: theta, its solver, the history and the last state.
        Never worse on the held-out paths than the start.

    Raises:
        ValueError: arguments out of range, a start outside the family, or a directory
            that holds another fit.

    Reference: Shaul et al. (2024), arXiv 2310.19075, algorithm 2 and appendix F.
    """
    field = as_field(field)
    optimizer = optax.adam(2e-3) if optimizer is None else optimizer
    training, held_out = (
        (paths, validation)
        if isinstance(validation, Paths)
        else split(paths, validation)
    )
    for name, value in (("iterations", iterations), ("validate_every", validate_every)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}.")
    if not 1 <= batch_size <= training.size:
        raise ValueError(
            f"batch_size must lie in 1 .. {training.size}, the number of training "
            f"paths; got {batch_size}."
        )
    began = time.perf_counter()
    if start is None:
        theta = family.init()
    else:
        theta = family.init(start) if isinstance(start, Solver) else start
    # Statistics and certificate are for people: not worth a place in compiled code.
    training, held_out = (
        p._replace(stats=None, certificate=None) for p in (training, held_out)
    )
    validate = lambda theta: float(_validation_rmse(family, theta, field, held_out))
    run = _Run(
        TrainState(
            theta, optimizer.init(theta), jnp.zeros((), jnp.int32), jnp.array(True)
        ),
        theta,
        History(*(np.zeros(0) for _ in History._fields)),
    )
    store = None
    if directory is not None:
        settings = {
            "family": family.name,
            "loss": losses.loss_name(loss),
            "iterations": iterations,
            "batch_size": batch_size,
            "validate_every": validate_every,
            "key": np.asarray(jax.random.key_data(key)).tolist(),
            "optimizer": fingerprint(_first_update(optimizer, run.state)),
            "data": fingerprint((run.state, training, held_out)),
            "field": fingerprint(_probe(field, training)),
        }
        store = Checkpoints(Path(directory), settings, save_seconds=save_seconds)
        run = store.restore(run)
    if run.history.iteration.size == 0:
        run = run._replace(
            history=_append(run.history, 0, np.nan, validate(theta), 0, 0.0)
        )
    # Forward 1 and reverse 2 for every row of every path of the batch.
    per_iteration = 3 * batch_size * family.build(theta).nfe
    before = float(run.history.seconds[-1])
    with tqdm(
        total=iterations,
        initial=int(run.state.iteration),
        desc=f"fit {family.name}",
        unit="it",
        disable=not progress,
    ) as bar:
        try:
            while (done := int(run.state.iteration)) < iterations and run.state.alive:
                length = min(validate_every, iterations - done)
                state, trace = _iterate(
                    family, loss, optimizer, batch_size, length,
                    run.state, field, training, key,
                )  # fmt: skip
                spent, score = int(state.iteration), validate(state.theta)
                if not np.isfinite(score):
                    state = state._replace(alive=jnp.array(False))
                better = score < np.nanmin(run.history.rmse)
                run = _Run(
                    state,
                    state.theta if better else run.best_theta,
                    _append(
                        run.history,
                        spent,
                        float(np.mean(trace)),
                        score,
                        spent * per_iteration,
                        before + time.perf_counter() - began,
                    ),
                )
                bar.update(spent - done)
                bar.set_postfix_str(_postfix(run.history))
                if store is not None:
                    store.save(spent, run)
        finally:  # also on Ctrl-C: what was done is kept
            if store is not None:
                store.finish(int(run.state.iteration), run)
    if not run.state.alive:
        where = f" Saved in {directory}." if directory else ""
        warnings.warn(
            f"fit stopped at iteration {int(run.state.iteration)} of {iterations}: "
            "loss or gradient not finite. The best iterate before that is kept; "
            f"a smaller learning rate or gradient clipping helps.{where}",
            stacklevel=2,
        )
    return Fitted(run.best_theta, family.build(run.best_theta), run.history, run.state)


@partial(
    jax.jit, static_argnames=("family", "loss", "optimizer", "batch_size", "length")
)
def _iterate(family, loss, optimizer, batch_size, length, state, field, paths, key):
    """`length` optimiser steps in one scan; freezes at the first non-finite number."""

    def step(state: TrainState, _):
        # Drawn from (key, iteration): a resumed run sees the same batches.
        draw = jax.random.fold_in(key, state.iteration)
        index = jax.random.choice(draw, paths.size, (batch_size,), replace=False)
        objective = lambda theta: loss(family, theta, field, take(paths, index))
        value, gradient = jax.value_and_grad(objective)(state.theta)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.theta)
        theta = optax.apply_updates(state.theta, updates)
        finite = [jnp.isfinite(value)] + [
            jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((gradient, theta))
        ]
        alive = state.alive & jnp.stack(finite).all()
        new = TrainState(theta, opt_state, state.iteration + 1, alive)
        keep = lambda new, old: jnp.where(alive, new, old)
        frozen = state._replace(alive=alive)
        return jax.tree.map(keep, new, frozen), value

    return jax.lax.scan(step, state, length=length)


@partial(jax.jit, static_argnames=("family",))
def _validation_rmse(family, theta, field, paths):
    x = sample(field, family.build(theta), paths.x0, c=paths.c)
    return jnp.mean(rms(x - paths.x1))


def _probe(field: Any, paths: Paths) -> jax.Array:
    """One velocity: tells two sets of weights apart without reading them all."""
    first = take(paths, slice(0, 1))
    t = (paths.start + paths.end) / 2
    return velocity(field, t, first.x0, first.c)


def _append(history: History, *entry: float | int) -> History:
    pairs = zip(history, entry, strict=True)
    return History(*(np.append(column, value) for column, value in pairs))


def _postfix(history: History) -> str:
    best, start = np.nanmin(history.rmse), history.rmse[0]
    return (
        f"loss {history.loss[-1]:.3g}, rmse {history.rmse[-1]:.3g} "
        f"(best {best:.3g}, start {start:.3g}), NFE {history.evaluations[-1]:.2g}"
    )


def _first_update(optimizer: optax.GradientTransformation, state: TrainState) -> Any:
    """What the optimiser makes of a gradient of ones: tells learning rates apart."""
    ones = jax.tree.map(jnp.ones_like, state.theta)
    return optimizer.update(ones, state.opt_state, state.theta)[0]

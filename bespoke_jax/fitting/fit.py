"""Fit a family to a field: any optax optimiser, one compiled loop between validations.

The network is never changed. Each iteration draws a batch of ground-truth paths and
takes one optimiser step on theta; every `validate_every` iterations the solver is run
on the validation paths and the best iterate so far is kept (the start is iterate 0).
The test paths choose nothing: the reported errors are theirs. Batches depend on
(key, iteration) alone, so a run that is killed and repeated with the same `directory`
ends in bitwise the same theta.
"""

from pathlib import Path
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from bespoke_jax.cards.checkpoint import Checkpoints
from bespoke_jax.core import checks
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.calls import check_independent
from bespoke_jax.core.hosts import shows
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Theta
from bespoke_jax.families import Family, Joint
from bespoke_jax.fitting import identity, joint, losses
from bespoke_jax.fitting.descent import (
    Run,
    TrainState,
    begin,
    finish,
    iterate,
    unstarted,
)
from bespoke_jax.fitting.fitted import Fitted, FittedJoint, result
from bespoke_jax.fitting.history import History
from bespoke_jax.fitting.joint import Fittable
from bespoke_jax.fitting.splits import three_way
from bespoke_jax.fitting.task import Options, Task, pay_checks, planned, starting
from bespoke_jax.reference.paths import Paths

__all__ = ["Fitted", "FittedJoint", "History", "TrainState", "fit"]


@overload
def fit(
    family: Family,
    field: VelocityField,
    paths: Paths,
    *,
    key: jax.Array,
    start: Solver | Theta | None = None,
    loss: losses.Loss = losses.rmse_bound,
    optimizer: optax.GradientTransformation | None = None,
    iterations: int = 1000,
    batch_size: int = 64,
    validation: float | int | Paths = 0.2,
    test: float | int | Paths = 0.2,
    validate_every: int = 25,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    directory: str | Path | None = None,
    save_seconds: float = 10.0,
    progress: bool = True,
) -> Fitted: ...
@overload
def fit(
    family: Joint,
    field: VelocityField,
    paths: Paths,
    *,
    key: jax.Array,
    start: Solver | Theta | None = None,
    loss: losses.Loss = losses.rmse_bound,
    optimizer: optax.GradientTransformation | None = None,
    iterations: int = 1000,
    batch_size: int = 64,
    validation: float | int | Paths = 0.2,
    test: float | int | Paths = 0.2,
    validate_every: int = 25,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    directory: str | Path | None = None,
    save_seconds: float = 10.0,
    progress: bool = True,
) -> FittedJoint: ...
def fit(
    family: Fittable,
    field: VelocityField,
    paths: Paths,
    *,
    key: jax.Array,
    start: Solver | Theta | None = None,
    loss: losses.Loss = losses.rmse_bound,
    optimizer: optax.GradientTransformation | None = None,
    iterations: int = 1000,
    batch_size: int = 64,
    validation: float | int | Paths = 0.2,
    test: float | int | Paths = 0.2,
    validate_every: int = 25,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    directory: str | Path | None = None,
    save_seconds: float = 10.0,
    progress: bool = True,
) -> Fitted | FittedJoint:
    """Fit theta so that the family's solver follows the ground-truth paths of a field.

    Args:
        family: from `bespoke_jax.families`, with the start and end of the paths; or
            several numbers of steps with one theta (`Curve.over`): the loss and the
            errors are then the geometric means over them.
        field: the velocity field that the paths solve.
        paths: ground truth from `reference.solve`.
        key: source of the batches.
        start: iterate 0: a Solver that lies in the family, a theta (such as
            `families.from_schedules` returns), or None for the family's base solver.
        loss: `loss(family, theta, field, paths) -> ()`, from `bespoke_jax.losses`.
        optimizer: any optax optimiser; None is Adam at the paper's 2e-3.
        iterations: optimiser steps, at most.
        batch_size: paths per step, at most the number of training paths.
        validation: fraction of the paths that choose the iterate, or other Paths.
        test: fraction of the paths that are only reported on, or other Paths. The last
            paths are taken, see `splits.three_way`.
        validate_every: iterations between validations.
        evaluations: network evaluations to spend at most, counted as in `History`, so
            with those of the ground truth (`paths.stats`). None is no bound.
        seconds: wall-clock to spend at most, without the ground truth; pieces between
            validations get shorter to fit in. None is no bound.
        directory: where to keep checkpoints. The same call with the same directory
            resumes, also with paths that were solved for again; a finished one returns
            at once.
        save_seconds: least time between two checkpoints.
        progress: show a progress bar.

    Returns:
        The best validation iterate: theta, its solver, its errors on the test paths,
        the history and the last state. Never worse on the validation paths than the
        start.

    Raises:
        ValueError: arguments out of range, a start outside the family, paths of another
            interval, too small a budget (with one that would do), a field whose samples
            are not independent, no iterate with a finite error, or a directory that
            holds another fit.

    Reference: Shaul et al. (2024), arXiv 2310.19075, algorithm 2 and appendix F.
    """
    checks.random_key("key", key)
    checks.instance("family", family, Fittable, "one of bespoke_jax.families")
    joint.check_loss(family, loss)
    budget = Budget(evaluations, seconds)
    folder = None if directory is None else checks.path("directory", directory)
    parts = three_way(paths, validation, test)
    optimizer = optax.adam(2e-3) if optimizer is None else optimizer
    options = Options(
        loss, optimizer, iterations, batch_size, validate_every, save_seconds
    ).checked(parts.training.size)
    theta, solvers = starting(family, start, paths)
    nfe = sum(solver.nfe for solver in solvers)
    task = planned(family, field, options, parts, key, theta, nfe, budget, paths.x0)
    pay_checks(task, budget, paths, probed=folder is not None)
    first, last = float(solvers[0].t[0]), float(solvers[0].end)
    check_independent(task.field, parts.training.x0, parts.training.c, first, last)
    run, store = _restored(task, unstarted(task, theta), solvers, folder, evaluations)
    return result(task, _run(task, run, budget, store, progress), directory)


def _restored(
    task: Task,
    run: Run,
    solvers: tuple[Solver, ...],
    folder: Path | None,
    evaluations: float | int | None,
) -> tuple[Run, Checkpoints | None]:
    """The run that the folder holds, or `run` itself, and where it is kept."""
    if folder is None:
        return run, None
    settings = _settings(task, run, solvers) | {"evaluations": evaluations}
    store = Checkpoints(folder, settings, save_seconds=task.options.save_seconds)
    return store.restore(run), store


def _run(
    task: Task, run: Run, budget: Budget, store: Checkpoints | None, progress: bool
) -> Run:
    """From the start or a checkpoint to the end."""
    try:
        if run.place == 0:
            run = begin(task, run, budget)
        budget.spent = int(run.spent)
        budget.resume_at(float(run.history.seconds[-1]))
        with tqdm(
            total=task.options.iterations,
            initial=int(run.state.iteration),
            desc=f"fit {task.family.name}",
            unit="it",
            disable=not shows(progress),
        ) as bar:
            for further in iterate(task, run, budget):
                run = further
                bar.update(int(run.state.iteration) - bar.n)
                bar.set_postfix_str(_postfix(run.history))
                if store is not None:
                    store.save(run.place, run)
        run = finish(task, run, budget)
    finally:  # also on Ctrl-C: what was done is kept
        if store is not None and run.place:
            store.finish(run.place, run)
        elif store is not None:
            store.close()
    return run


def _settings(task: Task, run: Run, solvers: tuple[Solver, ...]) -> dict[str, Any]:
    """The inputs that tell this fit from others."""
    # What the optimiser makes of a gradient of ones: tells learning rates apart.
    ones = jax.tree.map(jnp.ones_like, run.state.theta)
    update, _ = task.options.optimizer.update(
        ones, run.state.opt_state, run.state.theta
    )
    first, last = float(solvers[0].t[0]), float(solvers[0].end)
    return {
        "family": task.family.name,
        "loss": losses.loss_name(task.options.loss),
        "iterations": task.options.iterations,
        "batch_size": task.options.batch_size,
        "validate_every": task.options.validate_every,
        "key": identity.of_key(task.key),
        "optimizer": np.array([jnp.mean(leaf) for leaf in jax.tree.leaves(update)]),
        "start": np.concatenate([identity.of_solver(solver) for solver in solvers]),
        **identity.of_paths("training", task.parts.training),
        **identity.of_paths("validation", task.parts.validation),
        **identity.of_paths("test", task.parts.test),
        "field": identity.of_field(task.field, task.parts.training, first, last),
    }


def _postfix(history: History) -> str:
    best, start = np.fmin.reduce(history.rmse), history.rmse[0]
    return (
        f"loss {history.loss[-1]:.3g}, rmse {history.rmse[-1]:.3g} "
        f"(best {best:.3g}, start {start:.3g}), NFE {history.evaluations[-1]:.2g}"
    )

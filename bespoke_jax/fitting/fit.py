"""Fit a family to a field: any optax optimiser, one compiled loop between validations.

The network is never changed. Each iteration draws a batch of ground-truth paths and
takes one optimiser step on theta; every `validate_every` iterations the solver is run
on the validation paths and the best iterate so far is kept (the start is iterate 0).
The test paths choose nothing: the reported errors are theirs. Batches depend on
(key, iteration) alone, so a run that is killed and repeated with the same `directory`
ends in bitwise the same theta.
"""

import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from bespoke_jax.cards.checkpoint import Checkpoints
from bespoke_jax.core import checks
from bespoke_jax.core.budget import Budget, TooLittle
from bespoke_jax.core.calls import INDEPENDENCE_COST, as_field, check_independent
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.families import Family
from bespoke_jax.fitting import identity, losses
from bespoke_jax.fitting.descent import (
    History,
    Run,
    Task,
    TrainState,
    begin,
    finish,
    iterate,
    iteration_passes,
    unstarted,
)
from bespoke_jax.fitting.splits import Split, three_way
from bespoke_jax.reference.paths import Paths

__all__ = ["Fitted", "History", "TrainState", "fit"]


class Fitted(NamedTuple):
    """A fitted solver: the best validation iterate, and how it came about.

    theta, solver and all scores belong to the same iterate.
    """

    theta: Any
    solver: Solver
    rmse: float
    """Mean RMSE on the test paths, which chose nothing."""
    start_rmse: float
    """The same of the solver that the fit started from; nan where it diverges."""
    validation_rmse: float
    """Mean RMSE on the validation paths, which chose the iterate."""
    start_validation_rmse: float
    """The same of the start: never below `validation_rmse`."""
    evaluations: int
    """Network evaluations in all, counted as in `History`."""
    history: History
    state: TrainState
    family: Family
    loss: str
    """Name of the loss."""
    scored: int
    """Number of test paths."""
    judge: str = "mean"
    """What `rmse` is of the errors of the test paths."""


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
    test: float | Paths = 0.2,
    validate_every: int = 25,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    directory: str | Path | None = None,
    save_seconds: float = 10.0,
    progress: bool = True,
) -> Fitted:
    """Fit theta so that the family's solver follows the ground-truth paths of a field.

    Args:
        family: from `bespoke_jax.families`, with the start and end of the paths.
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
    budget = Budget(evaluations, seconds)
    parts = three_way(paths, validation, test)
    _check(
        parts.training.size, iterations=iterations, validate_every=validate_every,
        batch_size=batch_size, save_seconds=save_seconds, key=key, loss=loss,
        optimizer=optimizer,
    )  # fmt: skip
    folder = None if directory is None else checks.path("directory", directory)
    checks.instance("family", family, Family, "one of bespoke_jax.families")
    theta, solver = _start(family, start, paths)
    optimizer = optax.adam(2e-3) if optimizer is None else optimizer
    price = _price(family, loss, theta, parts.training, batch_size, evaluations)
    solved = 0 if paths.stats is None else int(paths.stats.evaluations)
    # How the paths came about is for people: not worth a place in compiled code.
    bare = {"stats": None, "certificate": None, "control": None}
    parts = Split(*(p._replace(**bare) for p in parts))
    task = Task(
        family, as_field(field), loss, optimizer, parts, batch_size, key, solver.nfe,
        iterations, validate_every, price,
    )  # fmt: skip
    _pay_checks(task, budget, solved, probed=folder is not None)
    first, last = float(solver.t[0]), float(solver.end)
    check_independent(task.field, parts.training.x0, parts.training.c, first, last)
    run, store = unstarted(task, theta), None
    if folder is not None:
        settings = _settings(task, run, solver) | {"evaluations": evaluations}
        store = Checkpoints(folder, settings, save_seconds=save_seconds)
        run = store.restore(run)
    return _result(task, _run(task, run, budget, store, progress), directory)


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
            total=task.iterations,
            initial=int(run.state.iteration),
            desc=f"fit {task.family.name}",
            unit="it",
            disable=not progress,
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


def _check(
    training: int,
    *,
    iterations: Any,
    validate_every: Any,
    batch_size: Any,
    save_seconds: Any,
    key: Any,
    loss: Any,
    optimizer: Any,
) -> None:
    checks.whole("iterations", iterations)
    checks.whole("validate_every", validate_every)
    checks.whole("batch_size (of the training paths)", batch_size, most=training)
    checks.real("save_seconds", save_seconds, least=0)
    checks.random_key("key", key)
    if not callable(loss) or isinstance(loss, type):
        raise ValueError(
            f"loss must be a function of losses, such as losses.rmse; got "
            f"{checks.shown(loss)}."
        )
    if not (optimizer is None or hasattr(optimizer, "update")):
        raise ValueError(
            "optimizer must be an optax optimiser, such as optax.adam(2e-3); got "
            f"{checks.shown(optimizer)}."
        )


def _start(family: Family, start: Any, paths: Paths) -> tuple[Any, Solver]:
    """theta of iterate 0 and its solver, which runs over the interval of the paths."""
    base = family.init()
    if start is None:
        theta = base
    elif isinstance(start, Solver):
        theta = family.init(start)
    else:
        form = lambda theta: jax.tree.map(jnp.shape, theta)
        if form(start) != form(base):
            raise ValueError(
                f"a start of {family.name} is None, a Solver, or a theta of the form "
                f"{form(base)}; got {form(start)}."
            )
        theta = jax.tree.map(lambda a, b: jnp.asarray(a, b.dtype), start, base)
    try:
        solver = validate(jax.device_get(family.build(theta)))
    except ValueError as error:
        raise ValueError(f"the start is no usable solver: {error}") from None
    interval = [float(paths.start), float(paths.end)]
    own = [float(solver.t[0]), float(solver.end)]
    if not np.allclose(own, interval, rtol=0, atol=1e-6):
        raise ValueError(
            f"{family.name} runs from {own[0]:g} to {own[1]:g}, the paths from "
            f"{interval[0]:g} to {interval[1]:g}; give the family the start and end of "
            "the paths."
        )
    return theta, solver


def _price(
    family: Family,
    loss: Any,
    theta: Any,
    training: Paths,
    batch_size: int,
    evaluations: float | int | None,
) -> int:
    """Network evaluations of one iteration."""
    passes = iteration_passes(family, loss, theta, training, batch_size)
    if not passes.adaptive:
        return passes.evaluations
    if evaluations is not None:
        raise ValueError(
            f"the loss {losses.loss_name(loss)} solves adaptively, so that its cost is "
            "not known in advance; evaluations= needs a loss without online=True."
        )
    if training.stats is None:
        raise ValueError(
            f"the loss {losses.loss_name(loss)} solves adaptively, as many evaluations "
            "a path as paths.stats says; these paths have no stats."
        )
    return passes.evaluations + batch_size * training.stats.nfe_max


def _pay_checks(task: Task, budget: Budget, solved: int, probed: bool) -> None:
    """The ground truth and the checks, if there is enough for one iteration too.

    Raises:
        TooLittle: there is not.
    """
    first = solved + INDEPENDENCE_COST + probed * identity.PROBE_COST
    validation, test = map(task.score_price, task.parts[1:])
    least = first + 2 * (validation + test) + task.price
    if least > budget.evaluations:
        raise TooLittle(int(budget.evaluations), least)
    budget.pay(first)


def _settings(task: Task, run: Run, solver: Solver) -> dict[str, Any]:
    """The inputs that tell this fit from others."""
    # What the optimiser makes of a gradient of ones: tells learning rates apart.
    ones = jax.tree.map(jnp.ones_like, run.state.theta)
    update, _ = task.optimizer.update(ones, run.state.opt_state, run.state.theta)
    first, last = float(solver.t[0]), float(solver.end)
    return {
        "family": task.family.name,
        "loss": losses.loss_name(task.loss),
        "iterations": task.iterations,
        "batch_size": task.batch_size,
        "validate_every": task.validate_every,
        "key": identity.of_key(task.key),
        "optimizer": np.array([jnp.mean(leaf) for leaf in jax.tree.leaves(update)]),
        "start": identity.of_solver(solver),
        **identity.of_paths("training", task.parts.training),
        **identity.of_paths("validation", task.parts.validation),
        **identity.of_paths("test", task.parts.test),
        "field": identity.of_field(task.field, task.parts.training, first, last),
    }


def _result(task: Task, run: Run, directory: str | Path | None) -> Fitted:
    done, history = int(run.state.iteration), run.history
    if not math.isfinite(run.best):
        raise ValueError(
            f"neither the start nor any of {done} iterations gives a finite error on "
            "the validation paths. Start from a solver that solves this field "
            "(start=), or use more evaluations."
        )
    if not run.state.alive:
        where = f" Saved in {directory}." if directory else ""
        warnings.warn(
            f"fit stopped at iteration {done} of {task.iterations}: "
            "loss or gradient not finite. The best iterate before that is kept; "
            f"a smaller learning rate or gradient clipping helps.{where}",
            stacklevel=3,
        )
    return Fitted(
        theta=run.best_theta,
        solver=task.family.build(run.best_theta),
        rmse=float(run.test[1]),
        start_rmse=float(run.test[0]),
        validation_rmse=float(run.best),
        start_validation_rmse=float(history.rmse[0]),
        evaluations=int(run.spent),
        history=history,
        state=run.state,
        family=task.family,
        loss=losses.loss_name(task.loss),
        scored=task.parts.test.size,
    )


def _postfix(history: History) -> str:
    best, start = np.fmin.reduce(history.rmse), history.rmse[0]
    return (
        f"loss {history.loss[-1]:.3g}, rmse {history.rmse[-1]:.3g} "
        f"(best {best:.3g}, start {start:.3g}), NFE {history.evaluations[-1]:.2g}"
    )

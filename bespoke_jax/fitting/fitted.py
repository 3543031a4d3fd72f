"""What a fit returns: the best validation iterate, and how it came about."""

import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Theta
from bespoke_jax.families import Family, Joint
from bespoke_jax.fitting import losses
from bespoke_jax.fitting.descent import Run, TrainState
from bespoke_jax.fitting.history import History
from bespoke_jax.fitting.task import Task


class Fitted(NamedTuple):
    """A fitted solver: the best validation iterate, and how it came about.

    theta, solver and all scores belong to the same iterate.
    """

    theta: Theta
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


class FittedJoint(NamedTuple):
    """One theta fitted at several numbers of steps: the best validation iterate.

    All errors are geometric means over the numbers of steps of the mean RMSE of each,
    so that rmse / start_rmse is the mean factor by which the fit has lowered them.
    """

    theta: Theta
    rmse: float
    """On the test paths, which chose nothing."""
    start_rmse: float
    """The same of the solvers that the fit started from; nan where one diverges."""
    validation_rmse: float
    """On the validation paths, which chose the iterate."""
    start_validation_rmse: float
    """The same of the start: never below `validation_rmse`."""
    evaluations: int
    """Network evaluations in all, counted as in `History`."""
    history: History
    state: TrainState
    family: Joint
    loss: str
    """Name of the loss."""
    scored: int
    """Number of test paths."""

    def at(self, steps: int) -> Solver:
        """The solver with n = `steps` steps, fitted at this n or not.

        Raises:
            ValueError: steps are no whole number of at least 1.
        """
        return self.family.at(steps).build(self.theta)


def result(task: Task, run: Run, directory: str | Path | None) -> Fitted | FittedJoint:
    """The outcome of a run that has ended.

    Raises:
        ValueError: no iterate has a finite error.
    """
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
            f"fit stopped at iteration {done} of {task.options.iterations}: "
            "loss or gradient not finite. The best iterate before that is kept; "
            f"a smaller learning rate or gradient clipping helps.{where}",
            stacklevel=3,
        )
    found: dict[str, Any] = {
        "theta": run.best_theta,
        "rmse": float(run.test[1]),
        "start_rmse": float(run.test[0]),
        "validation_rmse": float(run.best),
        "start_validation_rmse": float(history.rmse[0]),
        "evaluations": int(run.spent),
        "history": history,
        "state": run.state,
        "family": task.family,
        "loss": losses.loss_name(task.options.loss),
        "scored": task.parts.test.size,
    }
    if isinstance(task.family, Joint):
        return FittedJoint(**found)
    return Fitted(solver=task.family.build(run.best_theta), **found)

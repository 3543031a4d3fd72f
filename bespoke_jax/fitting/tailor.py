"""The best fixed-budget solver for one model at one NFE, found by measuring.

1. Ground truth by diffrax, of as many noises as half the budget pays for. The paths
   are split in three: some fit, some choose, and some only score the result.
2. Every training-free solver on every grid, and the solvers that the caller brings,
   race by successive halving, which takes at most a fifth of the budget.
3. The best few start a non-stationary family, each improved by Levenberg-Marquardt
   steps (`gauss_newton`); after each round the better half goes on, with more paths and
   more steps. Where the median is what counts, the robustness scale falls step by step.
4. The best iterate on the choosing paths is returned. Every start is an iterate, so it
   is never worse there than the best of them.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bespoke_jax import fields
from bespoke_jax.core import checks
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.calls import as_field
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.families import Family, nonstationary
from bespoke_jax.families.family import check_interval
from bespoke_jax.fitting import identity
from bespoke_jax.fitting.candidates import candidates
from bespoke_jax.fitting.improve import Problem
from bespoke_jax.fitting.journal import Journal
from bespoke_jax.fitting.recipe import Recipe
from bespoke_jax.fitting.search import Tailored, search
from bespoke_jax.fitting.truth import Flow, ground_truth
from bespoke_jax.reference.paths import Paths, take
from bespoke_jax.schedules import CondOT


def tailor(
    field: VelocityField,
    x0: Arr | Paths,
    *,
    nfe: int,
    key: jax.Array,
    schedule: Schedule | None = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
    c: Conditioning = None,
    starts: Sequence[Solver] = (),
    judge: str = "mean",
    validation: float | Paths = 0.2,
    test: float | Paths = 0.2,
    probes: int = 3,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    tolerance: float = 1e-5,
    batch_size: int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Tailored:
    """The most accurate solver of `nfe` evaluations that this recipe finds for a field.

    Args:
        field: the velocity field.
        x0: (N, *shape) states at `start`, a few hundred; or their `Paths`, solved for
            already (what these cost counts as spent).
        nfe: network evaluations of one sample.
        key: source of the random probes.
        schedule: path of the model; None is the one that the field was made with
            (`fields.schedule_of`), or CondOT. It sets the scaling of the family and
            which training-free solvers can be tried.
        start: start of the interval, in [0, end); above 0 where x0 is not pure noise.
        end: end of the interval, in (start, 1].
        c: conditioning of x0, leading axis N.
        starts: further solvers to start from, of nfe evaluations or of nfe - 1 (to
            which one is added; the result is then never worse than that solver on the
            choosing paths).
        judge: "mean" or "median" of the per-sample RMS errors, what is to be small.
        validation: fraction of the paths that choose among iterates, or other Paths.
        test: fraction of the paths that choose nothing and give the scores reported, or
            other Paths.
        probes: reverse passes per sample and step; samples of no more numbers than
            that have exact derivatives.
        evaluations: network evaluations of single samples to spend at most, everything
            included (forward 1, reverse 2 more); None is no bound. At most half goes
            into the ground truth, which may then be of fewer noises than N.
        seconds: wall-clock to spend at most, everything included; None is no bound.
            Checked between steps: the last one is not begun unless it fits.
        tolerance: relative and absolute tolerance of the ground truth.
        batch_size: samples in one network call, which bounds memory; None is 128 for
            the ground truth and 64 or more for the fit.
        directory: where to keep ground truth and steps: the same call goes on there,
            and returns at once where it had ended.
        progress: show a progress bar.

    Raises:
        ValueError: arguments out of range, no start that solves the field, a field
            whose samples are not independent, a directory that holds another run, or
            (`TooLittle`) a budget that does not pay for the least that is needed.
    """
    checks.random_key("key", key)
    recipe = Recipe(
        nfe, judge, validation, test, probes, tolerance, batch_size
    ).checked()
    budget, folder = Budget(evaluations, seconds), _folder(directory)
    flow = _flow(field, schedule, check_interval(start, end))
    family = _family(flow, recipe.nfe)
    found, dropped = candidates(family, flow.path, recipe.nfe, flow.interval, starts)
    paths = ground_truth(flow, x0, c, recipe, budget, folder, progress=progress)
    given = identity.of_noises("x0", x0 if isinstance(x0, Paths) else (x0, c))
    settings = _settings(recipe, budget) | given | _measured(flow, paths, key, starts)
    budget.pay(identity.PROBE_COST)
    with Journal(folder and folder / "tailor", settings, budget) as journal:
        # Where seconds bound the truth, the first run decides how many paths there are.
        (size,) = journal.once(lambda: [paths.size])
        problem = Problem(flow.field, family, recipe, key, budget, journal, progress)
        return search(problem, take(paths, slice(0, int(size))), found, dropped)


def _folder(directory: str | Path | None) -> Path | None:
    return None if directory is None else checks.path("directory", directory)


def _flow(
    field: VelocityField, schedule: Schedule | None, interval: tuple[float, float]
) -> Flow:
    field = as_field(field)
    return Flow(field, schedule or fields.schedule_of(field) or CondOT(), interval)


def _family(flow: Flow, nfe: int) -> Family:
    start, end = flow.interval
    return nonstationary(nfe, schedule=flow.path, start=start, end=end)


def _settings(recipe: Recipe, budget: Budget) -> dict[str, Any]:
    """What tells the settings of a run from those of others."""
    bound = lambda value: value if math.isfinite(value) else None
    return {
        "nfe": recipe.nfe, "judge": recipe.judge, "probes": recipe.probes,
        "evaluations": bound(budget.evaluations), "seconds": bound(budget.seconds),
        "tolerance": recipe.tolerance, "batch_size": recipe.batch_size,
        **identity.of_noises("validation", recipe.validation),
        **identity.of_noises("test", recipe.test),
    }  # fmt: skip


def _measured(
    flow: Flow, paths: Paths, key: jax.Array, starts: Sequence[Solver]
) -> dict[str, Any]:
    """What tells the functions of a run from those of others.

    Arrays are compared with a tolerance: they differ in their last digits on other
    devices.
    """
    return {
        "key": identity.of_key(key),
        "interval": list(flow.interval),
        "starts": np.concatenate([[0.0], *map(identity.of_solver, starts)]),
        "schedule": np.ravel(flow.path(np.linspace(*flow.interval, 5))),
        "field": identity.of_field(flow.field, paths, *flow.interval),
    }

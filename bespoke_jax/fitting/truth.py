"""The ground truth of a search: given paths, or as many as half the budget pays for."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bespoke_jax import reference
from bespoke_jax.core.budget import Budget, TooLittle
from bespoke_jax.core.calls import INDEPENDENCE_COST, check_independent
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.fitting import gauss_newton, identity
from bespoke_jax.fitting.effort import EFFORTS
from bespoke_jax.fitting.recipe import Recipe
from bespoke_jax.reference.fixed import NotReached
from bespoke_jax.reference.paths import Paths

_SHARE = 0.5  # of the budget
_EXACT = 1e-5  # the tolerance of efforts that are to be the best
_LEAST = 4  # paths: two to fit, one to choose and one to score


class Flow(NamedTuple):
    """What is to be sampled."""

    field: VelocityField
    path: Schedule
    """The Gaussian path of the model."""
    interval: tuple[float, float]
    """Start and end."""


def ground_truth(
    flow: Flow,
    x0: Arr | Paths,
    c: Conditioning,
    recipe: Recipe,
    budget: Budget,
    folder: Path | None,
    *,
    progress: bool,
) -> Paths:
    """Paths of the noises that half the budget pays for, or the given ones.

    Raises:
        ValueError: given paths on another interval, or too few of them.
        TooLittle: the budget does not pay for the least that a search needs.
    """
    if isinstance(x0, Paths):
        return _given(flow, x0, recipe, budget)
    allowance = max(1, int(_SHARE * budget.evaluations)) if budget.bounded else None
    try:
        paths = _solved(flow, x0, c, recipe, budget, allowance, folder, progress)
    except TooLittle as error:
        least = max(error.least / _SHARE, error.least + _least_search(recipe))
        raise TooLittle(int(budget.evaluations), math.ceil(least)) from None
    budget.pay(paths.stats.evaluations)
    return _enough(paths, recipe)


def _solved(
    flow: Flow,
    x0: Arr,
    c: Conditioning,
    recipe: Recipe,
    budget: Budget,
    allowance: int | None,
    folder: Path | None,
    progress: bool,
) -> Paths:
    """Paths as accurate as the tolerance says, or as the effort needs them."""
    field, schedule, (start, end) = flow
    options = {
        "c": c, "start": start, "end": end, "evaluations": allowance,
        "seconds": None if math.isinf(budget.seconds) else _SHARE * budget.seconds,
        "batch_size": recipe.batch_size or 128, "progress": progress,
    }  # fmt: skip
    tolerance = recipe.tolerance
    if tolerance is None and not EFFORTS[recipe.effort].exact:
        try:
            return reference.solve_for(
                field, x0, nfe=max(recipe.nfe), schedule=schedule,
                directory=folder and folder / "ground-truth-steps", **options,
            )  # fmt: skip
        except NotReached as error:  # no smooth field: steps have to adapt
            tolerance = error.tolerance
            budget.pay(error.spent)
            if allowance is not None:
                options["evaluations"] = max(1, allowance - error.spent)
    tolerance = _EXACT if tolerance is None else tolerance
    return reference.solve(
        field, x0, rtol=tolerance, atol=tolerance,
        directory=folder and folder / "ground-truth", **options,
    )  # fmt: skip


def _given(flow: Flow, paths: Paths, recipe: Recipe, budget: Budget) -> Paths:
    """Paths that the caller has solved for, which are paid for too."""
    field, _, interval = flow
    ends = (float(paths.start), float(paths.end))
    if not np.allclose(ends, interval, atol=1e-6):
        raise ValueError(
            f"the paths run from {ends[0]:g} to {ends[1]:g}, start and end say "
            f"{interval[0]:g} to {interval[1]:g}; give the paths' own."
        )
    spent = 0 if paths.stats is None else paths.stats.evaluations
    least = spent + INDEPENDENCE_COST + _least_search(recipe)
    if least > budget.evaluations:
        raise TooLittle(int(budget.evaluations), least)
    check_independent(field, paths.x0, paths.c, *interval)
    budget.pay(spent + INDEPENDENCE_COST)
    return _enough(paths, recipe)


def _enough(paths: Paths, recipe: Recipe) -> Paths:
    gauss_newton.check_probes(recipe.probes, paths)
    if paths.size < _LEAST:
        raise ValueError(
            f"tailor needs at least {_LEAST} paths, to fit, to choose and to score; "
            f"got {paths.size}. Give more noises, or a larger budget."
        )
    return paths


def _least_search(recipe: Recipe) -> int:
    """Evaluations of the smallest search: one start raced, chosen and scored."""
    return identity.PROBE_COST + 4 * sum(recipe.nfe)

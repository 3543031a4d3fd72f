"""The ground truth of a search: given paths, or as many as half the budget pays for."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from bespoke_jax import reference
from bespoke_jax.core.budget import Budget, TooLittle
from bespoke_jax.core.calls import INDEPENDENCE_COST, check_independent
from bespoke_jax.core.types import Conditioning
from bespoke_jax.fitting import identity
from bespoke_jax.reference.paths import Paths

_SHARE = 0.5  # of the budget
_LEAST = 4  # paths: two to fit, one to choose and one to score


def ground_truth(
    field: Any,
    x0: Any,
    c: Conditioning,
    interval: tuple[float, float],
    *,
    nfe: int,
    budget: Budget,
    tolerance: float,
    batch_size: int | None,
    folder: Path | None,
    progress: bool,
) -> Paths:
    """Paths of the noises that half the budget pays for, or the given ones.

    Raises:
        ValueError: given paths on another interval, or too few of them.
        TooLittle: the budget does not pay for the least that a search needs.
    """
    if isinstance(x0, Paths):
        ends = (float(x0.start), float(x0.end))
        if not np.allclose(ends, interval, atol=1e-6):
            raise ValueError(
                f"the paths run from {ends[0]:g} to {ends[1]:g}, start and end say "
                f"{interval[0]:g} to {interval[1]:g}; give the paths' own."
            )
        spent = 0 if x0.stats is None else x0.stats.evaluations
        least = spent + INDEPENDENCE_COST + _least_search(nfe)
        if least > budget.evaluations:
            raise TooLittle(int(budget.evaluations), least)
        check_independent(field, x0.x0, x0.c, *interval)
        budget.pay(spent + INDEPENDENCE_COST)
        return _enough(x0)
    bounded = not math.isinf(budget.evaluations)
    allowance = max(1, int(_SHARE * budget.evaluations)) if bounded else None
    try:
        paths = reference.solve(
            field,
            x0,
            c=c,
            start=interval[0],
            end=interval[1],
            rtol=tolerance,
            atol=tolerance,
            dense=False,
            batch_size=batch_size or 128,
            evaluations=allowance,
            seconds=None if math.isinf(budget.seconds) else _SHARE * budget.seconds,
            directory=folder and folder / "ground-truth",
            progress=progress,
        )
    except TooLittle as error:
        least = max(error.least / _SHARE, error.least + _least_search(nfe))
        raise TooLittle(int(budget.evaluations), math.ceil(least)) from None
    budget.pay(paths.stats.evaluations)
    return _enough(paths)


def _enough(paths: Paths) -> Paths:
    if paths.size < _LEAST:
        raise ValueError(
            f"tailor needs at least {_LEAST} paths, to fit, to choose and to score; "
            f"got {paths.size}. Give more noises, or a larger budget."
        )
    return paths


def _least_search(nfe: int) -> int:
    """Evaluations of the smallest search: one start raced, chosen and scored."""
    return identity.PROBE_COST + 4 * nfe

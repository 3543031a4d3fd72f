"""Solvers of one model, compared on fresh noises."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import jax

from bespoke_jax.core.solver import Solver
from bespoke_jax.fields.model import Model
from bespoke_jax.metrics.work_precision import Point, work_precision
from bespoke_jax.reference.of_model import solve_model
from bespoke_jax.reference.paths import Paths


class Comparison(NamedTuple):
    """What `compare` measured."""

    model: Model
    paths: Paths
    """The ground truth."""
    points: list[Point]
    """By NFE, then by error."""


def compare(
    model: Model,
    solvers: Mapping[str, Sequence[Solver]],
    *,
    count: int,
    key: jax.Array,
    batch_size: int = 128,
    keep: int = 0,
    seed: int = 0,
    progress: bool = True,
) -> Comparison:
    """Solve for exact samples of a model and measure solvers against them.

    Args:
        model: the model.
        solvers: name to solvers of different NFE; on grids that are measured, too
            (`grids.profile`, `grids.optimal_steps` of other noises' paths).
        count: number of noises.
        key: source of the noises, which should be those of no fit.
        batch_size, keep, seed, progress: as for `work_precision`.

    Raises:
        ValueError: as `reference.solve` and `work_precision`.
    """
    paths = solve_model(model, count, key=key, batch_size=batch_size, progress=progress)
    points = work_precision(
        model.field, solvers, paths, batch_size=batch_size,
        data_range=model.data_range, keep=keep, seed=seed, progress=progress,
    )  # fmt: skip
    return Comparison(model, paths, in_order(points))


def in_order(points: Iterable[Point]) -> list[Point]:
    """By NFE, then by error."""
    return sorted(points, key=lambda point: (point.nfe, point.error))


def distinct(solvers: Iterable[Solver]) -> list[Solver]:
    """One solver of each NFE: a budget may pay for no more steps than a smaller one."""
    return list({solver.nfe: solver for solver in solvers}.values())

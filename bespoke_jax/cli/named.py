"""The solvers that names on the command line stand for, for a model."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from bespoke_jax import cards, grids
from bespoke_jax.cli.arguments import existing, nearest
from bespoke_jax.cli.names import is_card, is_generic
from bespoke_jax.core.solver import Solver
from bespoke_jax.fields.model import Model
from bespoke_jax.metrics.comparison import distinct
from bespoke_jax.reference.of_model import solve_model
from bespoke_jax.solvers import construct
from bespoke_jax.solvers.registry import names as registered

MEASURED = {
    "acceleration": lambda paths, _: grids.profile(paths, kind="acceleration"),
    "rotation": lambda paths, _: grids.profile(paths, kind="rotation"),
    "optimal": lambda paths, schedule: grids.optimal_steps(paths, schedule=schedule),
}
"""Grids that are read from exact paths of the model, in turn with its schedule."""
PILOTS = 32
"""Paths that they are read from."""


def profiles(
    names: Iterable[str], model: Model, key: jax.Array, *, progress: bool
) -> dict[str, grids.GridLike]:
    """The grids of `MEASURED` that some name asks for; paths are solved for if any."""
    asked = {name.partition(":")[2] for name in names if is_generic(name)}
    if not asked & set(MEASURED):
        return {}
    paths = solve_model(model, PILOTS, key=key, progress=progress)
    return {
        grid: measure(paths, model.schedule)
        for grid, measure in MEASURED.items()
        if grid in asked
    }


def solver(
    name: str,
    nfe: int,
    model: Model,
    measured: Mapping[str, grids.GridLike] | None = None,
) -> Solver:
    """A card's solver, or one of `bespoke list` with as many steps as `nfe` pays for.

    A name stands alone or with a grid of `grids.NAMES` or of `measured`:
    `unipc:quadratic`.

    Raises:
        ValueError: neither, with the nearest of both; an unknown grid; a card of
            another interval than the model's; too small an nfe.
    """
    if is_generic(name):
        entry, _, grid = name.partition(":")
        return construct(
            entry, nfe, schedule=model.schedule, start=model.start, end=model.end,
            grid=(measured or {}).get(grid, grid) or None,
        )  # fmt: skip
    if not is_card(name):
        known = [*registered(), *map(str, Path(name).parent.glob("*.json"))]
        raise ValueError(
            f"no solver or card {name!r}; the nearest are {nearest(name, known, n=3)}"
        )
    found = cards.load(existing(name)).solver
    ends = float(found.t[0]), float(found.end)
    if not np.allclose(ends, (model.start, model.end), atol=1e-6):
        raise ValueError(
            f"the card {name} runs from t = {ends[0]:g} to {ends[1]:g}, the model "
            f"{model.name} from {model.start:g} to {model.end:g}; they were not made "
            "for each other"
        )
    return found


def at_budgets(
    names: Iterable[str],
    budgets: Sequence[int],
    model: Model,
    measured: Mapping[str, grids.GridLike] | None = None,
) -> dict[str, list[Solver]]:
    """Name to its solvers of different NFE; a card has one."""
    return {
        name: distinct(
            solver(name, nfe, model, measured)
            for nfe in (budgets[:1] if is_card(name) else budgets)
        )
        for name in names
    }

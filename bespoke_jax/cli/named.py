"""The solvers that names on the command line stand for, for a model."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from bespoke_jax import cards, grids
from bespoke_jax.cli import models
from bespoke_jax.cli.arguments import existing, nearest
from bespoke_jax.cli.names import card_of, is_card, is_generic, solver_of
from bespoke_jax.core.conditional import Conditional
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
    condition: float | None = None,
    measured: Mapping[str, grids.GridLike] | None = None,
) -> Solver:
    """A solver of a card, or one of `bespoke list` with the steps that `nfe` pays for.

    A name stands alone or with a grid of `grids.NAMES` or of `measured`:
    `unipc:quadratic`.

    Args:
        name: the name or the card's file.
        nfe: the budget; 0 takes the only one of a card.
        model: the model that the solver is for.
        condition: a number, for a card whose solvers depend on one.
        measured: grids by name, from `profiles`.

    Raises:
        ValueError: neither, with the nearest of both; an unknown grid; a card of
            another interval than the model's; too small an nfe; an nfe or condition
            that a card does not have, or that is missing.
    """
    if is_generic(name):
        if condition is not None:
            raise ValueError(f"{name} depends on no condition; leave --condition out")
        return _generic(name, nfe, model, measured or {})
    if not is_card(name):
        raise _unknown(name)
    found = solver_of(name, card_of(name, nfe), condition)
    return _of_model(name, found, model)


def at_budgets(
    names: Iterable[str],
    budgets: Sequence[int],
    model: Model,
    condition: float | None = None,
    measured: Mapping[str, grids.GridLike] | None = None,
) -> dict[str, list[Solver]]:
    """Name to its solvers of different NFE: a card has its own, a name the budgets.

    Args:
        names, model, measured: as for `solver`.
        budgets: the NFE of generic solvers.
        condition: for the cards whose solvers depend on a number; others ignore it.

    Raises:
        ValueError: as `solver`, or a condition that no card depends on.
    """
    found, used = {}, False
    for name in names:
        if is_card(name):
            found[name], depends = _of_card(name, model, condition)
            used |= depends
        else:
            made = (solver(name, n, model, None, measured) for n in budgets)
            found[name] = distinct(made)
    if condition is not None and not used:
        raise ValueError(
            "no card of --solvers depends on a condition; leave --condition out"
        )
    return found


def under(model: Model, names: Iterable[str], condition: float | None) -> Model:
    """The model at the condition that the solvers of cards were chosen for.

    A model whose conditioning has guidance weights gets this weight, if a card depends
    on it. Any other is taken as it is.
    """
    if condition is None or not models.has_weights(model):
        return model
    loaded = [cards.load(existing(name)) for name in names if is_card(name)]
    each = [one.cards[0] if isinstance(one, cards.CardSet) else one for one in loaded]
    guided = any(card.condition == models.GUIDANCE for card in each)
    return models.at_guidance(model, condition) if guided else model


def _of_card(
    name: str, model: Model, condition: float | None
) -> tuple[list[Solver], bool]:
    """The solvers of a card's file, and whether they depend on the condition."""
    loaded, solvers, used = cards.load(existing(name)), [], False
    for card in loaded if isinstance(loaded, cards.CardSet) else [loaded]:
        used = isinstance(card.solver, Conditional)
        found = solver_of(name, card, condition if used else None)
        solvers.append(_of_model(name, found, model))
    return solvers, used


def _generic(
    name: str, nfe: int, model: Model, measured: Mapping[str, grids.GridLike]
) -> Solver:
    entry, _, grid = name.partition(":")
    return construct(
        entry, nfe, schedule=model.schedule, start=model.start, end=model.end,
        grid=measured.get(grid, grid) or None,
    )  # fmt: skip


def _unknown(name: str) -> ValueError:
    known = [*registered(), *map(str, Path(name).parent.glob("*.json"))]
    return ValueError(
        f"no solver or card {name!r}; the nearest are {nearest(name, known, n=3)}"
    )


def _of_model(name: str, found: Solver, model: Model) -> Solver:
    """The solver of a card, if it runs over the model's interval."""
    ends = float(found.t[0]), float(found.end)
    if not np.allclose(ends, (model.start, model.end), atol=1e-6):
        raise ValueError(
            f"the card {name} runs from t = {ends[0]:g} to {ends[1]:g}, the model "
            f"{model.name} from {model.start:g} to {model.end:g}; they were not made "
            "for each other"
        )
    return found

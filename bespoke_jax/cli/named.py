"""Solvers by name: cards, and entries of `solvers.TABLE` alone or with a grid."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from bespoke_jax import cards
from bespoke_jax.cli.arguments import existing, nearest
from bespoke_jax.core.solver import Solver
from bespoke_jax.fields.model import Model
from bespoke_jax.metrics.comparison import distinct
from bespoke_jax.solvers import TABLE, construct


def is_card(name: str) -> bool:
    """Whether a name is a file's rather than a solver's."""
    return not is_generic(name) and (Path(name).is_file() or name.endswith(".json"))


def is_generic(name: str) -> bool:
    """Whether a name is that of an entry of `TABLE`, alone or with a grid."""
    return name.partition(":")[0] in TABLE


def model_of(name: str, solvers: Iterable[str]) -> str:
    """The model to use: the given one, else the one that the first card names."""
    found = [cards.load(existing(solver)) for solver in solvers if is_card(solver)]
    return name or next((card.model for card in found if card.model), "")


def solver(name: str, nfe: int, model: Model) -> Solver:
    """A card's solver, or a `TABLE` entry with as many steps as `nfe` pays for.

    An entry stands alone or with a grid of `grids.NAMES`: `unipc:quadratic`.

    Raises:
        ValueError: neither, with the nearest of both; an unknown grid; a card of
            another interval than the model's; too small an nfe.
    """
    if is_generic(name):
        entry, _, grid = name.partition(":")
        return construct(
            entry, nfe, schedule=model.schedule, start=model.start, end=model.end,
            grid=grid or None,
        )  # fmt: skip
    if not is_card(name):
        known = [*TABLE, *map(str, Path(name).parent.glob("*.json"))]
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
    names: Iterable[str], budgets: Sequence[int], model: Model
) -> dict[str, list[Solver]]:
    """Name to its solvers of different NFE; a card has one."""
    return {
        name: distinct(
            solver(name, nfe, model)
            for nfe in (budgets[:1] if is_card(name) else budgets)
        )
        for name in names
    }

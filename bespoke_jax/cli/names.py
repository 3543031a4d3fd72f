"""What a name on the command line stands for: a card's file or a solver.

This module does not import JAX, so that a misspelt name is refused at once.
"""

from collections.abc import Iterable
from pathlib import Path

from bespoke_jax import cards
from bespoke_jax.cli.arguments import existing
from bespoke_jax.solvers.registry import find


def is_card(name: str) -> bool:
    """Whether a name is a file's rather than a solver's."""
    return not is_generic(name) and (Path(name).is_file() or name.endswith(".json"))


def is_generic(name: str) -> bool:
    """Whether a name is a solver's of `bespoke list`, alone or with a grid."""
    return find(name.partition(":")[0]) is not None


def model_of(name: str, solvers: Iterable[str]) -> str:
    """The model to use: the given one, else the one that the first card names."""
    found = [cards.load(existing(solver)) for solver in solvers if is_card(solver)]
    return name or next((card.model for card in found if card.model), "")

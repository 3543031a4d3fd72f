"""What a name on the command line stands for: a card's file or a solver.

A file has one card, or a set of them for several budgets. This module does not import
JAX, so that a misspelt name is refused at once.
"""

from collections.abc import Iterable
from pathlib import Path

from bespoke_jax import cards
from bespoke_jax.cards.sets import listed
from bespoke_jax.cli.arguments import existing
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.solver import Solver
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


def card_of(path: str, nfe: int = 0) -> cards.Card:
    """The card of a file, or the one of its set for a budget.

    Args:
        path: the file.
        nfe: what --nfe says; 0 stands for a file with one card.

    Raises:
        ValueError: no such file or card, or an nfe that it does not have, or that is
            missing.
    """
    found = cards.load(existing(path))
    each = list(found) if isinstance(found, cards.CardSet) else [found]
    if not nfe and len(each) == 1:
        return each[0]
    budgets = tuple(card.solver.nfe for card in each)
    if not nfe:
        raise ValueError(
            f"{path} has solvers of {listed(budgets)} NFE; add --nfe to choose one"
        )
    if nfe not in budgets:
        raise ValueError(f"the card {path} has {listed(budgets)} NFE, not --nfe {nfe}")
    return each[budgets.index(nfe)]


def solver_of(path: str, card: cards.Card, condition: float | None = None) -> Solver:
    """The solver of a card, for one condition where it depends on one.

    Args:
        path: the card's file, for messages.
        card: the card.
        condition: what --condition says.

    Raises:
        ValueError: a condition that is missing, out of range or of no meaning.
    """
    if not isinstance(card.solver, Conditional):
        if condition is not None:
            raise ValueError(
                f"the solver of {path} depends on no condition; leave --condition out"
            )
    elif condition is None:
        raise ValueError(
            f"the solver of {path} depends on {depends(card)}; add --condition to "
            "choose one"
        )
    try:
        return card.at(condition=condition)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def depends(card: cards.Card) -> str:
    """What a conditional solver depends on, and its range; "" for a plain one."""
    solver = card.solver
    if not isinstance(solver, Conditional):
        return ""
    return f"{card.condition or 'a number'} in {solver.low:g} .. {solver.high:g}"

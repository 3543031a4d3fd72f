"""Cards of one model for several budgets."""

import dataclasses
from collections.abc import Iterator
from typing import SupportsFloat, SupportsIndex

from bespoke_jax.cards.records import SHARED, Card
from bespoke_jax.core import checks
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.solver import Solver


@dataclasses.dataclass(frozen=True, eq=False)
class CardSet:
    """Cards of one model for different NFE, by NFE.

    `len` and iteration are over the cards: `[card.rmse for card in cards]`.

    Args:
        cards: at least one, of different NFE, in any order. Their model, schedule,
            guidance, condition and seed agree, and either all of their solvers are
            plain or all are `Conditional`. (Saving writes one date and the versions of
            that moment.)

    Raises:
        ValueError: no card, what is none, the same NFE twice, or entries that differ.
    """

    cards: tuple[Card, ...]

    def __post_init__(self) -> None:
        for card in checks.instance("cards", self.cards, tuple, "a tuple of cards"):
            checks.instance("an item of cards", card, Card, "a card")
        if not self.cards:
            raise ValueError("a set of cards needs at least one.")
        by_nfe = sorted(self.cards, key=lambda card: card.solver.nfe)
        object.__setattr__(self, "cards", tuple(by_nfe))
        twice = [n for n in set(self.budgets) if self.budgets.count(n) > 1]
        if twice:
            raise ValueError(
                f"the cards of a set must differ in NFE; several have {min(twice)}."
            )
        for card in self.cards[1:]:
            _same(self.cards[0], card)

    @property
    def budgets(self) -> tuple[int, ...]:
        """The NFE of the cards, increasing."""
        return tuple(card.solver.nfe for card in self.cards)

    @property
    def model(self) -> str:
        """The model of all cards."""
        return self.cards[0].model

    def __getitem__(self, nfe: SupportsIndex) -> Card:
        """The card of a budget.

        Raises:
            ValueError: a budget that the set does not have.
        """
        number = checks.whole("nfe", nfe)
        if number not in self.budgets:
            raise ValueError(
                f"this set has solvers of {listed(self.budgets)} NFE, not {number}."
            )
        return self.cards[self.budgets.index(number)]

    def __iter__(self) -> Iterator[Card]:
        return iter(self.cards)

    def __len__(self) -> int:
        return len(self.cards)

    def at(
        self,
        nfe: SupportsIndex | None = None,
        condition: SupportsFloat | None = None,
    ) -> Solver:
        """The solver of a budget, as `Card.at`.

        Args:
            nfe: the budget; required unless there is only one.
            condition: as for `Card.at`.

        Raises:
            ValueError: a budget that is missing or that the set does not have, or as
                `Card.at`.
        """
        if nfe is None and len(self) > 1:
            raise ValueError(
                f"this set has solvers of {listed(self.budgets)} NFE: choose one by "
                "nfe=."
            )
        card = self.cards[0] if nfe is None else self[nfe]
        return card.at(condition=condition)


def _same(first: Card, other: Card) -> None:
    """Refuse two cards that cannot be in one set."""
    for name in SHARED:
        if name in ("created", "versions"):
            continue
        one, two = getattr(first, name), getattr(other, name)
        if one != two:
            raise ValueError(
                f"the cards of a set must have the same {name}; those of "
                f"{first.solver.nfe} and {other.solver.nfe} NFE have "
                f"{checks.shown(one)} and {checks.shown(two)}."
            )
    if isinstance(first.solver, Conditional) != isinstance(other.solver, Conditional):
        raise ValueError(
            "the cards of a set must be all of plain solvers or all of conditional "
            f"ones; those of {first.solver.nfe} and {other.solver.nfe} NFE differ."
        )


def listed(budgets: tuple[int, ...]) -> str:
    """Budgets in words: "4, 6, 8", or "3 .. 20" for a run."""
    if len(budgets) > 3 and budgets[-1] - budgets[0] == len(budgets) - 1:
        return f"{budgets[0]} .. {budgets[-1]}"
    return ", ".join(map(str, budgets))

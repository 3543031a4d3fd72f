"""Solver cards: one JSON file that ships a solver with its evidence."""

from bespoke_jax.cards.card import load, save
from bespoke_jax.cards.making import of
from bespoke_jax.cards.records import Card, Cost, Truth, Validation
from bespoke_jax.cards.sets import CardSet
from bespoke_jax.cards.values import JUDGES

__all__ = [
    "JUDGES",
    "Card",
    "CardSet",
    "Cost",
    "Truth",
    "Validation",
    "load",
    "of",
    "save",
]

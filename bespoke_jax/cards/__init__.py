"""Solver cards: one JSON file that ships a solver with its evidence."""

from bespoke_jax.cards.card import Card, load, save

__all__ = ["Card", "load", "save"]

"""A small solver, and a schedule that only a card knows."""

import dataclasses
from typing import Any

import numpy as np

from bespoke_jax import card
from bespoke_jax.core.solver import Solver


@dataclasses.dataclass(frozen=True)
class Linear:
    beta_min: float = 0.1
    table: Any = (0.9, 0.5)


def midpoint_solver(dtype: Any = np.float64):
    """Two explicit midpoint steps, four rows."""
    h = 0.4995
    return Solver(
        np.array([0.0, h / 2, h, 1.5 * h], dtype),
        np.zeros(4, dtype),
        np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype),
        np.array([[h / 2], [h], [h / 2], [h]], dtype),
        np.array(0.999, dtype),
    )


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def one_card(path: Any) -> card.Card:
    """The card of a file that is no set."""
    found = card.load(path)
    assert isinstance(found, card.Card)
    return found

"""Small solvers, sets of cards, a schedule that only a card knows, and damage."""

import copy
import dataclasses
import json
from typing import Any

import numpy as np

from bespoke_jax import card, solvers
from bespoke_jax.core.conditional import Conditional, conditional
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


def guided_solver(nfe: int = 2, dtype: Any = np.float64) -> Conditional:
    """Steps whose weights are quadratic in a guidance weight of 0 .. 6: three nodes."""

    def build(w: float) -> Solver:
        h = 0.999 / nfe
        q = np.tril(h * (1 + 0.1 * w + 0.01 * w**2) * np.ones((nfe, nfe)))
        t, a, p = h * np.arange(nfe), np.ones(nfe), np.zeros((nfe, 0))
        leaves = (t, a + 0.3 * w, p, q, np.array(0.999))
        return Solver._make(leaf.astype(dtype) for leaf in leaves)

    return conditional(build, 0, 6)


def card_set(*made: Solver | Conditional, **about: Any) -> card.CardSet:
    """A card for each, with errors of 1 / NFE."""
    return card.CardSet(tuple(
        card.of(s, rmse=1 / s.nfe, paths=9, notes=f"of {s.nfe}", **about)
        for s in made
    ))  # fmt: skip


def leaves_of(one: card.Card) -> list[np.ndarray]:
    """All numbers of a card's solver."""
    found = one.solver
    if isinstance(found, Solver):
        return [np.asarray(leaf) for leaf in found]
    ends = np.array([found.low, found.high])
    return [ends, *(np.asarray(leaf) for leaf in (found.nodes, *found.solvers))]


ABOUT = {"model": "digits", "schedule": Linear(), "seed": 3}


def guided(**about) -> card.CardSet:
    return card_set(
        *(guided_solver(n) for n in (4, 2)), condition="guidance", **ABOUT, **about
    )


def plain() -> card.CardSet:
    return card_set(*(solvers.euler(nfe=n) for n in (3, 5, 4, 8)), **ABOUT)


def single() -> card.CardSet:
    return card_set(*(guided_solver(n, np.float32) for n in (2, 3)), **ABOUT)


def load_set(path) -> card.CardSet:
    found = card.load(path)
    assert isinstance(found, card.CardSet)
    return found


def same(one: card.Card, other: card.Card) -> bool:
    bits = map(same_bits, leaves_of(one), leaves_of(other))
    return all(bits) and one._replace(solver=other.solver) == other


def told(path: Any) -> dict[str, Any]:
    """What the file of a card says, without what a clock says."""
    found = json.loads(path.read_text())
    found.pop("created")
    found["cost"].pop("seconds")
    return found


VALUES = (
    None, True, 0, -1, 1.5, 1e400, -1e400, float("nan"), 10**30, "", "x", "mean",
    [], [1.0], ["x"], [[1.0]], {}, {"name": "VP"}, {"x": 1},
)  # fmt: skip


def places(data, at=()):
    """Every key and index of a JSON value."""
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in inner:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))


def mutate(data, rng):
    """One to three changes: a value, a key more or less, a list shorter or longer."""
    for _ in range(rng.integers(1, 4)):
        all_places = list(places(data))
        *where, last = all_places[rng.integers(len(all_places))]
        holder = data
        for key in where:
            holder = holder[key]
        value = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
        match rng.integers(4):
            case 0:
                holder[last] = value
            case 1:
                del holder[last]
            case 2 if isinstance(holder, dict):
                holder[f"{last}x"] = value
            case 2:
                holder.append(value)
            case 3:
                holder[last] = [holder[last]]
        if not data:
            return

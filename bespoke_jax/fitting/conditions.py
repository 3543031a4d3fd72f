"""Numbers per sample that a solver may depend on, and the basis in which it does.

With w the condition of a sample (a guidance weight, say) in [low, high], every weight
of the solver is a polynomial in it,

    theta(w) = sum_k P_k(s) Theta_k,    s = (2 w - low - high) / (high - low),

in Legendre polynomials P_0 .. P_degree, which are orthogonal for conditions that are
spread evenly over the interval.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre

from bespoke_jax.core import checks
from bespoke_jax.core.types import Arr

ConditionLike = Arr | Sequence[float | int]
"""(N,) numbers, one per sample."""


class Basis(NamedTuple):
    """Legendre polynomials on an interval of the condition."""

    low: float
    high: float
    degree: int

    @property
    def size(self) -> int:
        """K, the number of polynomials."""
        return self.degree + 1

    def __call__(self, w: ConditionLike | float | int) -> np.ndarray:
        """P_0 .. P_degree at conditions w, (*shape, K) float64."""
        w = np.asarray(w, np.float64)
        s = (2 * w - self.low - self.high) / (self.high - self.low)
        values = legendre.legvander(s, self.degree)
        return np.reshape(values, (*w.shape, self.size))


CONSTANT = Basis(-1.0, 1.0, 0)
"""For solvers without a condition: phi = 1."""


def basis_of(condition: np.ndarray, degree: int) -> Basis:
    """The basis on the range of the conditions.

    Raises:
        ValueError: fewer than degree + 1 different conditions.
    """
    degree = checks.whole("degree", degree, most=8)
    different = len(np.unique(condition))
    if different < degree + 1:
        raise ValueError(
            f"a basis of degree {degree} needs at least {degree + 1} different "
            f"conditions; got {different}. Spread them over the range that the solver "
            "is for."
        )
    return Basis(float(condition.min()), float(condition.max()), degree)


def checked(condition: object, size: int) -> np.ndarray:
    """(N,) float64 conditions of N samples.

    Raises:
        ValueError: another shape, or numbers that are not finite.
    """
    values = np.asarray(checks.numbers("condition", condition), np.float64)
    if values.shape != (size,) or not np.isfinite(values).all():
        raise ValueError(
            f"condition must be {size} finite numbers, one per sample of x0; got "
            f"{checks.shown(condition)}."
        )
    return values


def evenly(condition: np.ndarray) -> np.ndarray:
    """(N,) an order in which every stretch of the samples sees the whole range.

    The first two have the lowest and the highest condition; the others follow the
    golden ratio through the ranks of theirs. So paths may be cut into parts, or fewer
    be solved for than there are noises, whatever the order that they were given in.
    """
    ranks = np.argsort(condition, kind="stable")
    first, inner = ranks[[0, -1]][: len(ranks)], ranks[1:-1]
    turns = (np.arange(len(inner)) + 0.5) * (np.sqrt(5) - 1) / 2 % 1
    return np.concatenate([first, inner[np.argsort(np.argsort(turns))]])

"""What a bounded ground truth can afford, path by path, so that the bound is kept.

The cost of a path is not known before it is solved. The first two paths are solved with
the limit that the whole budget allows; after that, each batch has as many paths as fit
in the budget at twice the largest cost so far, and every solve stops at its share.
"""

import copy
import math

from bespoke_jax.core.budget import Budget, TooLittle
from bespoke_jax.reference.adaptive import FIRST_STEP, UNLIMITED

SCOUTS = 2
"""Paths that are solved first where a budget has to be kept."""
CERTIFICATE_SHARE = 5
"""The certificate costs at most this fraction of the budget: a fifth."""
_CERTIFICATE = 3
"""A check at ten times tighter tolerance is paid for up to this many paths' cost."""
_UNKNOWN = 200
"""Evaluations assumed for a path before any has been solved."""


class Allowance:
    """How many paths the rest of a budget pays for, and the cost of each at most.

    Args:
        budget: the account that pays.
        fixed: evaluations spent before the first path.

    Raises:
        TooLittle: the budget does not pay for the first steps of two paths.
    """

    def __init__(self, budget: Budget, fixed: int):
        self.budget, self._fixed = budget, fixed
        self._highest, self._lowest = 0, UNLIMITED
        if budget.evaluations - fixed < SCOUTS * FIRST_STEP:
            self.refuse(_UNKNOWN)

    @property
    def left(self) -> int:
        """What can still be spent."""
        return int(self.budget.left) if self.budget.bounded else UNLIMITED

    def learn(self, costs) -> None:
        """Record the costs of single paths."""
        self._highest = max(self._highest, int(max(costs)))
        self._lowest = min(self._lowest, int(min(costs)))

    def after(self, costs) -> "Allowance":
        """The allowance after paths of these costs, as a copy."""
        trial = copy.copy(self)
        trial.budget = copy.copy(self.budget)
        trial.budget.pay(sum(int(cost) for cost in costs))
        trial.learn(costs)
        return trial

    def paths(self, wanted: int, extra: int = 0) -> tuple[int, int]:
        """(paths to solve next, evaluations of each at most); (0, 0) for none.

        extra: evaluations that a path costs after its solve.
        """
        if not self.budget.bounded:
            return wanted, UNLIMITED
        if self._highest == 0:
            many = min(SCOUTS, wanted)
        else:
            many = min(wanted, self.left // (2 * self._highest + extra))
            if many == 0 and self.left >= self._lowest + extra:
                many = 1
        limit = self.left // many - extra if many else 0
        return (many, limit) if limit >= FIRST_STEP else (0, 0)

    def pilots(self, wanted: int, slopes: int) -> tuple[int, int]:
        """(pilots, evaluations of each check at most) that the share pays.

        slopes: evaluations that a pilot may cost after its check.
        """
        if not self.budget.bounded:
            return wanted, UNLIMITED
        each, share = _CERTIFICATE * self._highest, self._share
        rest = self.left // (4 * (each + slopes)) if slopes else wanted
        many = min(wanted, share // each, rest)
        if many < 1 or self.left < many * each:
            self.refuse(self._highest, slopes)
        return many, share // many

    @property
    def _share(self) -> int:
        """Evaluations that the certificate may cost."""
        return int(self.budget.evaluations) // CERTIFICATE_SHARE

    def refuse(self, path: float | int, slopes: int = 0) -> None:
        """Raise, with the least budget that pays two paths of this cost.

        Raises:
            TooLittle: always.
        """
        check = _CERTIFICATE * math.ceil(path)
        solves = self._fixed + SCOUTS * (2 * math.ceil(path) + slopes) + check
        dense = 4 * (check + slopes) + self._fixed + 2 * math.ceil(path)
        least = max(CERTIFICATE_SHARE * check, solves, dense if slopes else 0)
        raise TooLittle(
            int(self.budget.evaluations),
            least,
            f"Two certified paths of this field take {self._fixed} to look at it, "
            f"{math.ceil(path)} each, and {check} for a certificate, which may take a "
            "fifth. Spend that much, or loosen the tolerance",
        )

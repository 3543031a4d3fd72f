"""A strict upper bound on the evaluations spent on ground truth.

The cost of a path is not known before it is solved. The first two paths are solved with
the limit that the whole budget allows; after that, each batch has as many paths as fit
in the budget at twice the largest cost so far, and every solve stops at its share.
"""

import copy
import math
import time

import numpy as np

from bespoke_jax.core.spending import TooLittle
from bespoke_jax.reference.adaptive import FIRST_STEP, UNLIMITED

SCOUTS = 2
"""Paths that are solved first where a budget has to be kept."""
CERTIFICATE_SHARE = 5
"""The certificate costs at most this fraction of the budget: a fifth."""
_CERTIFICATE = 3
"""A check at ten times tighter tolerance is paid for up to this many paths' cost."""
_UNKNOWN = 200
"""Evaluations assumed for a path before any has been solved."""


class Budget:
    """Counts the evaluations that are spent and allots the rest.

    Args:
        total: evaluations to spend, or None for no bound.
        fixed: evaluations spent before the first path.
        seconds: wall-clock to spend from now on, or None for no bound.
    """

    def __init__(
        self, total: int | None, fixed: int, seconds: float | int | None = None
    ):
        self._stop = math.inf if seconds is None else time.monotonic() + seconds
        self.total, self.spent, self._fixed = total, 0, fixed
        self._highest, self._lowest = 0, UNLIMITED
        if total is not None and total - fixed < SCOUTS * FIRST_STEP:
            self.refuse(_UNKNOWN)

    @property
    def bounded(self) -> bool:
        """Whether there is a bound."""
        return self.total is not None

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._stop

    @property
    def left(self) -> int:
        """What can still be spent."""
        return UNLIMITED if self.total is None else self.total - self.spent

    def spend(self, evaluations: int | np.integer) -> None:
        """Count evaluations that were made."""
        self.spent += int(evaluations)

    def learn(self, costs) -> None:
        """Record the costs of single paths."""
        self._highest = max(self._highest, int(max(costs)))
        self._lowest = min(self._lowest, int(min(costs)))

    def after(self, costs) -> "Budget":
        """The budget after paths of these costs, as a copy."""
        trial = copy.copy(self)
        trial.spend(sum(int(cost) for cost in costs))
        trial.learn(costs)
        return trial

    def paths(self, wanted: int, extra: int = 0) -> tuple[int, int]:
        """(paths to solve next, evaluations of each at most); (0, 0) for none.

        extra: evaluations that a path costs after its solve.
        """
        if not self.bounded:
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
        if self.total is None:
            return wanted, UNLIMITED
        each = _CERTIFICATE * self._highest
        rest = self.left // (4 * (each + slopes)) if slopes else wanted
        many = min(wanted, self.total // CERTIFICATE_SHARE // each, rest)
        if many < 1 or self.left < many * each:
            self.refuse(self._highest, slopes)
        return many, self.total // CERTIFICATE_SHARE // many

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
            int(self.total or 0),
            least,
            f"Two certified paths of this field take {self._fixed} to look at it, "
            f"{math.ceil(path)} each, and {check} for a certificate, which may take a "
            "fifth. Spend that much, or loosen the tolerance",
        )

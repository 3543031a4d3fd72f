"""Evaluations to spend on ground truth: an upper bound that is kept.

What a path costs is not known before it is solved. The first two paths are solved under
a limit that the whole budget can pay; from then on each batch has as many paths as can
be paid at twice the dearest path so far, and every solve stops at its own share.
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
"""Evaluations of a path of which nothing is known yet."""


class Budget:
    """Counts what is spent, and says what the rest can pay for.

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
        self._dearest, self._cheapest = 0, UNLIMITED
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
        """Take note of evaluations that were made."""
        self.spent += int(evaluations)

    def learn(self, costs) -> None:
        """Take note of what single paths cost."""
        self._dearest = max(self._dearest, int(max(costs)))
        self._cheapest = min(self._cheapest, int(min(costs)))

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
        if self._dearest == 0:
            many = min(SCOUTS, wanted)
        else:
            many = min(wanted, self.left // (2 * self._dearest + extra))
            if many == 0 and self.left >= self._cheapest + extra:
                many = 1
        limit = self.left // many - extra if many else 0
        return (many, limit) if limit >= FIRST_STEP else (0, 0)

    def pilots(self, wanted: int, slopes: int) -> tuple[int, int]:
        """(pilots, evaluations of each check at most) that the share pays.

        slopes: evaluations that a pilot may cost after its check.
        """
        if self.total is None:
            return wanted, UNLIMITED
        each = _CERTIFICATE * self._dearest
        rest = self.left // (4 * (each + slopes)) if slopes else wanted
        many = min(wanted, self.total // CERTIFICATE_SHARE // each, rest)
        if many < 1 or self.left < many * each:
            self.refuse(self._dearest, slopes)
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

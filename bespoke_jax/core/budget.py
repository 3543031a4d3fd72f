"""What a run may spend: network evaluations and seconds, both upper bounds.

Network evaluations are counted for single samples: a forward pass is 1, a reverse pass
2 more. Work is asked for before it is done (`affords`) and paid for after (`pay`), so
that the total never exceeds the bound.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bespoke_jax.core.checks import real
from bespoke_jax.core.hosts import agreed


class TooLittle(ValueError):
    """A budget of network evaluations that is too small, with one that would do."""

    def __init__(self, asked: int, least: int, why: str = ""):
        super().__init__(
            f"evaluations={asked} is too little: this needs at least {least} network "
            "evaluations of single samples (forward 1, reverse 2 more)."
            + (f" {why}." if why else "")
        )
        self.asked, self.least = asked, least


def bound(name: str, value: object) -> float:
    """A bound that a caller set, None being infinite.

    Raises:
        ValueError: not a number above 0.
    """
    return math.inf if value is None else real(f"{name}, or None,", value, above=0)


class Budget:
    """A running account of evaluations and seconds.

    Args:
        evaluations: network evaluations to spend at most; None is no bound.
        seconds: wall-clock to spend at most; None is no bound.

    Raises:
        ValueError: a bound that is not a positive number.
    """

    def __init__(
        self, evaluations: float | int | None = None, seconds: float | int | None = None
    ):
        self.evaluations = bound("evaluations", evaluations)
        self.seconds = bound("seconds", seconds)
        self.spent = 0
        self._reserved = 0
        self._began = time.perf_counter()
        self.slowest = 0.0
        """Seconds of the longest step so far, which the next one may take too."""

    @property
    def left(self) -> float:
        """Evaluations that are neither spent nor reserved; infinite without a bound."""
        return max(0.0, float(self.evaluations - self.spent - self._reserved))

    @property
    def bounded(self) -> bool:
        """Whether there is a bound on the evaluations."""
        return math.isfinite(self.evaluations)

    @property
    def late(self) -> bool:
        """Whether the seconds are over."""
        return self.elapsed > self.seconds

    @property
    def elapsed(self) -> float:
        """Seconds of this run, with those before an interruption; of several processes
        those of the first."""
        return agreed(time.perf_counter() - self._began)

    def resume_at(self, elapsed: float | int) -> None:
        """Count at least `elapsed` seconds: what an interrupted run had used."""
        self._began = min(self._began, time.perf_counter() - elapsed)

    @contextmanager
    def share(self, evaluations: float | int, seconds: float | int) -> Iterator[None]:
        """Inside, at most so much more may be spent."""
        before = self.evaluations, self.seconds
        self.evaluations = min(self.evaluations, self.spent + evaluations)
        self.seconds = min(self.seconds, self.elapsed + seconds)
        try:
            yield
        finally:
            self.evaluations, self.seconds = before

    def reserve(self, cost: int) -> None:
        """Keep `cost` evaluations back for something that must be done at the end.

        Raises:
            TooLittle: they are not there.
        """
        if cost > self.left:
            raise TooLittle(int(self.evaluations), self.spent + self._reserved + cost)
        self._reserved += cost

    def release(self) -> None:
        """Make what was reserved available again."""
        self._reserved = 0

    def affords(self, cost: float | int, *, seconds: float | int = 0.0) -> bool:
        """Whether work of this cost stays within both bounds."""
        return cost <= self.left and self.elapsed + seconds <= self.seconds

    def pay(self, cost: int) -> None:
        """Count `cost` evaluations as spent."""
        self.spent += int(cost)

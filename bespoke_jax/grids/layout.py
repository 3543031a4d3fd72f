"""Where the steps of a solver lie: the arguments that travel through constructors."""

from typing import NamedTuple

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids.checks import Grid
from bespoke_jax.grids.resolving import GridLike, resolve


class Layout(NamedTuple):
    """A path, a grid on it and the times between which the grid runs.

    The arguments are checked where they are used: by `times`, and by whatever
    evaluates the schedule.
    """

    schedule: Schedule | None
    """The model's Gaussian path; None where neither solver nor grid need it."""
    grid: GridLike
    """A name, a callable or increasing times, as in `grids.resolve`."""
    start: Number = 0.0
    """The time of the first state."""
    end: Number = 1.0
    """The time of the sample."""
    k: Number = 3.1
    """The parameter of the grid "nsr"."""

    def times(self, n: Count) -> Grid:
        """The n + 1 times of n steps."""
        return resolve(
            self.grid, n, self.schedule, self.end, start=self.start, k=self.k
        )

    def within(self, start: float, end: float, n: int) -> Grid:
        """The n + 1 times of the same grid on a part of the interval."""
        return self._replace(start=start, end=end).times(n)

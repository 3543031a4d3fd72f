"""How much a search spends, and on what.

Costs are counted in solves of single samples: n evaluations each. A search has up to
four parts: a race of training-free solvers, regressions on several grids, their times
by variable projection, and Gauss-Newton steps. What a part needs depends on how many
numbers a sample has: D equations per sample determine the weights of a row.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from bespoke_jax.fitting import times


class Effort(NamedTuple):
    """What a search spends where no budget says otherwise."""

    solves: float
    """At most, up to 8 NFE; twice as many above, where more numbers are to fit."""
    evaluations: int
    """At most, whatever the NFE."""
    paths: int
    """That rows are fitted to by regression, if a sample has many numbers."""
    descends: bool
    """Whether Gauss-Newton steps follow the regression."""
    exact: bool
    """Whether the ground truth is to be far more accurate than a fitted solver."""

    def most(self, nfe: int) -> float | int:
        """Evaluations that the search for one solver may spend."""
        return min(float(self.evaluations), self.solves * nfe * (1 if nfe <= 8 else 2))


EFFORTS = {
    "seconds": Effort(math.inf, 2_500, 32, False, False),
    "best": Effort(3_700, 79_000, 64, True, True),
}

RACE = 0.05
"""Share of a search that the race of training-free solvers may take."""
_REGRESSION = 0.12  # the share of regressions and times, where steps follow
_STEPS, _FEWEST = 4, 16  # of the descent, and paths of one of them
_GRIDS, _TIMES = 0.35, 0.4  # their shares of that
_TRIES = 2  # dampings that a step of variable projection takes, on average
_PASSES = 60  # over the training paths, at most
_OFTEN = 16  # passes that are worth more than further paths, where there are `enough`


def starts_for(solves: float | int) -> float | int:
    """Training-free solvers that a race in a search of so many solves can look at."""
    return max(8.0, RACE * solves / 3)


class Regressions(NamedTuple):
    """How the solves of the regressions are divided."""

    pilots: int
    """Paths that every grid is tried on."""
    movers: int
    """Paths that the times are moved on; 0 leaves them where they are."""
    moves: int
    """Steps of variable projection."""
    paths: int
    """Paths of the final regressions."""
    finals: int
    """How many of the best times get one."""

    def moving(self, nfe: int) -> int:
        """Evaluations that the steps of variable projection may take."""
        return self.moves * times.cost(nfe, self.movers, _TRIES)

    def solves(self, nfe: int, grids: int) -> float:
        """That the plan takes at most."""
        fits = grids * self.pilots + self.movers + self.finals * self.paths
        return fits + self.moving(nfe) / nfe


def regressions(
    effort: Effort, nfe: int, solves: float, count: int, grids: int, unknowns: float
) -> Regressions:
    """A division of the solves that a search may spend.

    Args:
        effort: its level.
        nfe: n.
        solves: that are left.
        count: training paths.
        grids: to try.
        unknowns: numbers of the last row per number of a sample, (n + 1) K / D.
    """
    least = max(2, math.ceil(4 * unknowns))
    wanted = min(count, max(effort.paths, math.ceil(24 * unknowns)))
    if math.isinf(solves):
        return Regressions(min(16 * least, wanted), wanted, 3, wanted, 4)
    share = solves * (_REGRESSION if effort.descends else 1.0)
    pilots = max(least, min(8 * least, int(_GRIDS * share / grids)))
    pilots = min(wanted, _round(pilots, least))
    one = times.cost(nfe, 1, _TRIES) / nfe
    moving = min(_TIMES * share, share - grids * pilots - min(least, wanted))
    movers = min(wanted, max(8, 2 * least), int(moving / (one + 1)))
    movers, moves = _round(movers, least), 1
    if movers >= max(8, 2 * least):
        moves = min(3, int((moving - movers) / one) // movers)
    elif movers < max(3, least):
        movers = moves = 0
    left = share - grids * pilots - movers - moves * movers * one
    finals = min(3, max(1, int(left / wanted)))
    paths = min(wanted, _round(max(least, int(left / finals)), least))
    return Regressions(pilots, movers, moves, paths, finals)


def _round(paths: int, least: int) -> int:
    """Down to a power of 2, if enough is left: batches of few sizes compile rarely."""
    power = 2 ** int(math.log2(max(paths, 1)))
    return power if power >= least else paths


class Descent(NamedTuple):
    """How incremental Gauss-Newton goes through the training paths."""

    batch: int
    """Paths of one step."""
    batches: int
    """Different ones."""
    passes: int
    """Over all of them, at most."""


def checking(numbers: int) -> int:
    """Choosing paths that accept steps, for samples of D = `numbers`, at most.

    All of them choose among what is left at the end.
    """
    return max(32, min(128, 1024 // numbers))


def enough(numbers: int) -> int:
    """Paths from which on more passes are worth more, for samples of D = `numbers`."""
    return max(192, min(512, 4096 // numbers))


def descent(
    left: float,
    step: Callable[[int], float],
    count: int,
    numbers: int,
    parameters: int,
) -> Descent | None:
    """The descent that `left` evaluations pay for, if any.

    Args:
        left: evaluations.
        step: evaluations of a step per path of its batch, by their number.
        count: training paths.
        numbers: D.
        parameters: numbers of theta.
    """
    wanted = math.ceil(max(64, parameters) / (2 * numbers))
    batch = max(48, min(512, 16 * wanted))
    batch = min(count, batch)
    batches = max(1, count // batch)
    if math.isinf(left):
        return Descent(batch, batches, _PASSES)
    if left < _STEPS * step(batch) * batch:
        fewer = int(left / (_STEPS * step(batch))) // 8 * 8
        batch = max(min(batch, _FEWEST), fewer)
        batches = max(1, count // batch)
    steps = int(left / (step(batch) * batch))
    if steps < 1:
        return None
    # Of many paths rather fewer and more often; of few, all of them twice if possible.
    if steps < _OFTEN * batches:
        batches = min(batches, max(math.ceil(enough(numbers) / batch), steps // _OFTEN))
    if steps < 2 * batches:
        batches = min(batches, max(_STEPS, steps // 2))
    return Descent(batch, batches, min(_PASSES, math.ceil(steps / batches)))

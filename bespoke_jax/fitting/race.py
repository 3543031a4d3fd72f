"""Choosing among many starts by successive halving.

All starts are measured on a few paths. The better half is measured on twice as many,
and so on, so that hundreds of starts cost little more than a few, and the best ones are
measured on many paths.

Reference: Jamieson and Talwalkar (2016), arXiv 1502.07943, algorithm 1.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bespoke_jax.core.hosts import shows

PILOTS = 64
"""Paths that the last starts are measured on."""
_FIRST = 8  # paths of the first round, where the allowance does not bind


class Start(NamedTuple):
    """A solver that a fit could start from, and how good it is on the pilot paths."""

    name: str
    method: str
    score: float
    theta: Any
    given: bool = False
    """Whether the caller brought it."""


class Rung(NamedTuple):
    """One round of the race."""

    starts: int
    first: int
    last: int
    """Each start is measured on paths `first` .. `last` - 1, the others being known."""

    @property
    def solves(self) -> int:
        """Solves of single samples."""
        return self.starts * (self.last - self.first)


def rungs(starts: int, pilots: int, keep: int, solves: float | int) -> list[Rung]:
    """The rounds of a race over `starts` solvers that costs at most `solves` solves.

    The first round has as many paths (a power of two, at most 8) as can be afforded.
    Where not even one path for every start can be, only the first starts run.
    """
    first = min(_FIRST, pilots)
    while first >= 1:
        plan = _rungs(starts, pilots, keep, first)
        if sum(rung.solves for rung in plan) <= solves:
            return plan
        first //= 2
    fewer = starts - 1
    while fewer >= 1:
        plan = _rungs(fewer, pilots, keep, 1)
        if sum(rung.solves for rung in plan) <= solves:
            return plan
        # The cost is about (2 + log2) times the number of starts: no need to go by one.
        fewer = min(fewer - 1, fewer * 9 // 10)
    return []


def _rungs(starts: int, pilots: int, keep: int, first: int) -> list[Rung]:
    plan, done, upto = [], 0, first
    while True:
        plan.append(Rung(starts, done, upto))
        if upto >= pilots or starts <= keep:
            return plan
        starts = max(keep, math.ceil(starts / 2))
        done, upto = upto, min(pilots, 2 * upto)


class Result(NamedTuple):
    """Of a race, by the numbers of the starts."""

    order: list[int]
    """Those of the last round first, then those that fell out in the round before it,
    and so on; within a round by score."""
    scores: list[float]
    """In that order, each on the paths that its start has seen."""
    dropped: list[tuple[int, str]]
    """Starts that diverge or whose evaluation fails, with the reason."""


def race(
    starts: Sequence[Any],
    plan: Sequence[Rung],
    errors: Callable[[Any, int, int], np.ndarray],
    measure: Callable[[Any], Any],
    *,
    late: Callable[[], bool] = lambda: False,
    progress: bool,
) -> Result:
    """Run the rounds of `plan`.

    Args:
        starts: anything that `errors` takes; the first `plan[0].starts` run.
        plan: from `rungs`.
        errors: (start, first, last) -> its errors on paths first .. last - 1.
        measure: errors -> score.
        late: whether to stop; starts that were not measured at all are then dropped.
        progress: show a progress bar.
    """
    known = {i: np.zeros(0) for i in range(plan[0].starts)}
    running, done = list(known), []
    scores: dict[int, float] = {}
    dropped: list[tuple[int, str]] = []
    total = sum(rung.solves for rung in plan)
    with tqdm(
        total=total, desc="starts", unit="solve", disable=not shows(progress)
    ) as bar:
        for rung in plan:
            # Those that fall out here are better than those that fell out before.
            done = running[rung.starts :] + done
            running = running[: rung.starts]
            for place, i in enumerate(running):
                if late() and scores:
                    done = running[place:] + done
                    running = running[:place]
                    break
                try:
                    new = errors(starts[i], rung.first, rung.last)
                    known[i] = np.append(known[i], new)
                    scores[i] = float(measure(known[i]))
                    reason = "" if math.isfinite(scores[i]) else "its solve diverges"
                except Exception as error:  # one start, not the race
                    reason = f"{type(error).__name__}: {str(error)[:200]}"
                if reason:
                    dropped.append((i, reason))
                bar.update(rung.last - rung.first)
            lost = {i for i, _ in dropped}
            running = sorted(set(running) - lost, key=lambda i: (scores[i], i))
            if late() and scores:
                break
    late_ones = [i for i in done if i not in scores]
    dropped += [(i, "there was no time to measure it") for i in late_ones]
    order = [i for i in running + done if i in scores]
    return Result(order, [scores[i] for i in order], dropped)


def diverse(measured: Sequence[Start], count: int) -> list[Start]:
    """The best starts, no two of one method on different grids."""
    chosen: dict[str, Start] = {}
    for start in measured:
        chosen.setdefault(start.method, start)
    return list(chosen.values())[:count]

"""Solvers of the table at growing budgets, on a few samples: how many evaluations do?

Level after level has r = 1.5 times the evaluations. Where errors fall like m^-p, the
distances d of each level to the one before do so too, and the error of a level is

    d / (r^p - 1),    p = log(d_before / d) / log r, here between 1.7 and 3,

less than d itself. A few pairs of solver and grid run at the first level, two at the
second, and the better one goes on. All states lie on the path, so that they and their
slopes are dense states at no further cost.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.calls import velocity
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import rms
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.rows import advance
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.reference.paths import Paths, at
from bespoke_jax.solvers import construct

PAIRS = (
    ("ipndm", "quadratic"),
    ("deis_tab", "sigmoid"),
    ("deis_tab", "quadratic"),
    ("adams_bashforth", "quadratic"),
    ("adams_bashforth", "uniform"),
)
"""Solver and grid, the likeliest first; of those that the interval allows, `TRIED`."""
TRIED = 3
RATIO = 1.5
_ORDERS = 1.7, 3.0
MOST = 512
"""Evaluations of the last level; adaptive steps need fewer for such accuracy."""


class Run(NamedTuple):
    """Samples solved by one solver of single-stage steps."""

    times: np.ndarray
    """(m + 1,) from start to end."""
    states: jax.Array
    """(batch, m + 1, *shape) there, or (batch, 2, *shape) at both ends."""
    slopes: jax.Array | None
    """(batch, m + 1, *shape), or None without dense states."""

    @property
    def nfe(self) -> int:
        """Evaluations of one sample."""
        return len(self.times) - 1


class Level(NamedTuple):
    """What was chosen, and how far it is from the truth."""

    pair: int
    """Its place in `PAIRS`."""
    nfe: int
    coarser: int
    """Evaluations of the level that measured it."""
    run: Run
    """Of the pilots."""
    endpoint: np.ndarray
    """(pilots,) distances of the end points to those of the coarser level."""
    interpolation: np.ndarray
    """(pilots,) largest distances of Hermite polynomials to states of the coarser
    level; 0 without dense states."""
    tolerance: float
    """What the errors had to be below."""


def solver_of(
    pair: int, nfe: int, schedule: Schedule, interval: tuple[float, float]
) -> Solver:
    """The solver of that many evaluations."""
    name, grid = PAIRS[pair]
    start, end = interval
    return construct(name, nfe, schedule=schedule, grid=grid, start=start, end=end)


def march(
    field: VelocityField, solver: Solver, x: Arr, c: Conditioning, *, dense: bool
) -> Run:
    """Solve samples, which costs nfe evaluations of each, and one more where dense.

    One compiled evaluation serves solvers of any length. A velocity at the end that is
    infinite is replaced by that of the parabola through what is known of the last step.
    """
    t, a, p, q, end = (np.asarray(leaf, np.float64) for leaf in solver)
    x = jnp.asarray(x)
    xs = deque([x] * p.shape[1], maxlen=p.shape[1])
    us = deque([jnp.zeros_like(x)] * q.shape[1], maxlen=q.shape[1])
    states, slopes = [x], []
    new = x
    cast = lambda value: jnp.asarray(value, x.dtype)
    for i in range(len(t)):
        us.append(velocity(field, cast(t[i]), new, c))
        xs.append(new)
        new = _row(cast(a[i]), cast(p[i]), cast(q[i]), x, tuple(xs), tuple(us))
        if dense:
            states.append(new)
            slopes.append(us[-1])
    times = np.append(t, end)
    if not dense:
        return Run(times, jnp.stack([x, new], 1), None)
    last = velocity(field, cast(end), new, c)
    parabola = 2 * (new - states[-2]) / cast(times[-1] - times[-2]) - slopes[-1]
    slopes.append(jnp.where(jnp.isfinite(last), last, parabola))
    return Run(times, jnp.stack(states, 1), jnp.stack(slopes, 1))


@jax.jit
def _row(a, p, q, x0, xs, us):
    return advance(a, p, q, x0, xs, us).astype(x0.dtype)


class Climb:
    """The levels of a few samples.

    Args:
        field, schedule, interval: the flow.
        x, c: the pilots.
        many: how many of them are counted.
        dense: whether states in between matter.
        most: evaluations of the last level.
        pay: called with the cost of a level before it is solved.
    """

    def __init__(
        self,
        field: VelocityField,
        schedule: Schedule,
        interval: tuple[float, float],
        x: Arr,
        c: Conditioning,
        *,
        many: int,
        dense: bool,
        most: int,
        pay: Callable[[int], None],
    ):
        self.field, self.schedule, self.interval = field, schedule, interval
        self.x, self.c, self.many, self.dense = jnp.asarray(x), c, many, dense
        self.most, self.spent, self._pay = min(most, MOST), 0, pay
        self.tried: tuple[Run, ...] = ()

    def solve(self, pair: int, nfe: int) -> Run:
        """The pilots at one level."""
        solver = solver_of(pair, nfe, self.schedule, self.interval)
        cost = self.many * (nfe + self.dense)
        self._pay(self.spent + cost)
        self.spent += cost
        return march(self.field, solver, self.x, self.c, dense=self.dense)

    def first(self, nfe: int) -> dict[int, Run]:
        """The first level, by pair."""
        found: dict[int, Run] = {}
        for pair in range(len(PAIRS)):
            if len(found) == TRIED:
                break
            try:
                solver_of(pair, nfe, self.schedule, self.interval)
            except ValueError:  # a grid that does not reach this end
                continue
            found[pair] = self.solve(pair, nfe)
        return found

    def levels(self, first: int, growth: float) -> Iterator[tuple[int, list[Run]]]:
        """(pair, pilots at its last two levels), from the third level on.

        Args:
            first: evaluations of the first level.
            growth: of the second to the first.
        """
        tried = self.first(first)
        self.tried = tuple(tried.values())
        nfe, favourite = round(first * growth), next(iter(tried))
        runs = {favourite: self.solve(favourite, nfe)}
        for pair in self._nearest(tried, runs[favourite])[:2]:
            runs[pair] = runs.get(pair) or self.solve(pair, nfe)
        pair = self._nearest(runs, runs[favourite])[-1]
        nfe = round(nfe * RATIO)
        finer = self.solve(pair, nfe)
        if (better := self._nearest(runs, finer)[0]) != pair:
            pair, finer = better, self.solve(better, nfe)
        last = [runs[pair], finer]
        while True:
            yield pair, last
            nfe = round(nfe * RATIO)
            if nfe > self.most:
                return
            last = [last[1], self.solve(pair, nfe)]

    def _nearest(self, runs: Mapping[int, Run], finer: Run) -> list[int]:
        """The pairs by their distance to a more accurate run."""
        off = {pair: float(self.off(run, finer).mean()) for pair, run in runs.items()}
        return sorted(off, key=lambda pair: off[pair])

    def off(self, run: Run, finer: Run) -> np.ndarray:
        """(pilots,) distances of the end points; inf where one is not finite."""
        return self._counted(rms(run.states[:, -1] - finer.states[:, -1]))

    def between(self, run: Run, other: Run) -> np.ndarray:
        """(pilots,) largest distances between Hermite polynomials and other states."""
        knots = jnp.asarray(run.times, self.x.dtype)
        dense = Paths(self.x, run.states[:, -1], self.c, knots, run.states, run.slopes)
        read, _ = at(dense, other.times[1:-1])
        away = jnp.swapaxes(read, 0, 1) - other.states[:, 1:-1]
        return self._counted(jax.vmap(rms)(away).max(1))

    def _counted(self, off: jax.Array) -> np.ndarray:
        """Distances of the pilots alone, on the host."""
        found = to_host(off)[: self.many].astype(np.float64)
        return np.where(np.isfinite(found), found, np.inf)


def climb(
    pilots: Climb,
    first: int,
    growth: float,
    tolerance: Callable[[Run], float],
    measure: Callable[[np.ndarray], np.floating],
    *,
    inner: float | int = 1.0,
) -> tuple[Level, bool]:
    """The first level whose estimated errors are below the tolerance, or the last one.

    Args:
        pilots: what is solved.
        first: evaluations of the level at which pairs are chosen.
        growth: of the next one to it.
        tolerance: from the finest level so far.
        measure: of the errors of the pilots, what is to be below.
        inner: factor by which states between knots may be less accurate.

    Returns:
        The level, and whether it is below.
    """
    level, good, before = None, False, 0.0
    for pair, (coarser, run) in pilots.levels(first, growth):
        allowed, end = tolerance(run), pilots.off(coarser, run)
        part = _part(before, float(end.mean()))
        before = float(end.mean())
        good, between = bool(part * measure(end) <= allowed), np.zeros(len(end))
        if good and pilots.dense:
            between = pilots.between(run, coarser)
            good = bool(part * measure(between) <= inner * allowed)
        level = Level(pair, run.nfe, coarser.nfe, run, end, between, allowed)
        if good:
            break
    assert level is not None  # there is a third level
    return level, good


def _part(before: float, distance: float) -> float:
    """The error of a level as a part of its distance to the one before."""
    least, most = _ORDERS
    if not 0 < distance < before:
        return 1 / (RATIO**least - 1)
    p = np.log(before / distance) / np.log(RATIO)
    return float(1 / (RATIO ** np.clip(p, least, most) - 1))

"""Layouts, budgets and the two loops (singlestep, multistep) that the solvers share."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from bespoke_jax import grids
from bespoke_jax.core.checks import known, shown, whole
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear
from bespoke_jax.core.types import Count
from bespoke_jax.grids._checks import MOST_STEPS
from bespoke_jax.schedules import on_host
from bespoke_jax.solvers._prediction import Point, Predict, Prediction, points, run

Coordinate = Callable[[Point], float]
"""The variable in which a method interpolates: lambda, tau, 1/tau or t."""


class Layout(NamedTuple):
    """Where the steps lie: the arguments that every constructor passes on."""

    schedule: Any
    grid: Any
    start: Any
    end: Any
    k: Any = 3.1
    """The parameter of the grid "nsr"."""

    def times(self, n: Count) -> np.ndarray:
        """The n + 1 times of n steps."""
        return grids.resolve(
            self.grid, n, self.schedule, self.end, start=self.start, k=self.k
        )

    def points(self, n: Count) -> list[Point]:
        """The path values at `times`."""
        return apart(points(self.schedule, self.times(n)))

    def at_log_snr(self, value: float) -> float:
        """The time of a half log-SNR."""
        return float(on_host(self.schedule.time_at_log_snr, value))

    def at_nsr(self, value: float) -> float:
        """The time of a noise-to-signal ratio."""
        return float(on_host(self.schedule.time_at_nsr, value))


def apart(path: list[Point]) -> list[Point]:
    """The points, if float64 tells their log-SNRs apart, by which methods divide."""
    for a, b in pairwise(path):
        if not a.lam < b.lam:
            raise ValueError(
                f"the times {a.t} and {b.t} have the same log-SNR to rounding; take "
                "fewer steps or times that are further apart"
            )
    return path


def budget(nfe: Count, order: int, mode: str) -> list[int]:
    """The order of every step, whose sum is what they cost.

    fixed: nfe // order steps of that order (nfe mod order evaluations stay unused).
    agile: all of nfe; the remainder goes to lower orders at the end, as in
    DPM-Solver-fast (Lu et al., 2022, arXiv 2206.00927, section 3.4).
    """
    known("mode", mode, ("fixed", "agile"))
    nfe = whole("nfe", nfe, most=MOST_STEPS)
    if nfe < (order if mode == "fixed" else 1):
        raise ValueError(
            f"a step of order {order} costs {order} evaluations; nfe = {nfe} pays "
            "for none."
        )
    full, rest = divmod(nfe, order)
    if mode == "fixed":
        return [order] * full
    if order == 3 and rest == 0:
        return [3] * (full - 1) + [2, 1]
    return [order] * full + [rest] * (rest > 0)


def singlestep(
    layout: Layout,
    step: Callable[[Predict, Linear, list[Point], int], Linear],
    *,
    orders: list[int],
    coordinate: Coordinate,
    at: Callable[[float], float],
    ratios: dict[int, tuple[float, ...]] | None,
    inner: Coordinate | None = None,
    denoise: bool,
) -> Solver:
    """A solver of self-contained steps: stages at nodes inside each step.

    A step between whose ends the coordinate is infinite takes its evaluations as
    first-order steps, uniform in time.

    Args:
        step: (predict, x, [s, s_1, .., t], j) -> x_t, of order len(nodes) - 1.
        layout: its grid is a name, a callable or the outer times; with ratios None,
            all times.
        orders: the order of each step.
        coordinate, at: the variable of the nodes, and its inverse to a time.
        ratios: where the nodes lie inside a step, by its order; None: where the grid
            itself puts them.
        inner: the variable in which such grid nodes are expressed as ratios; None is
            the coordinate.
    """
    schedule = layout.schedule
    times, inside = _outer(layout, orders, explicit=ratios is None)
    outer = apart(points(schedule, times))

    def stages(j: int, s: Point, t: Point, order: int) -> Any:
        """Times of the stages inside step j."""
        a, b = coordinate(s), coordinate(t)
        if not (math.isfinite(a) and math.isfinite(b)):
            return np.linspace(s.t, t.t, order + 1)[1:-1]
        if ratios is None:
            assert inside is not None
            own = inside(s, t, places[j], order)
            if inner is None:
                return own
            span = inner(t) - inner(s)
            fractions = [(inner(p) - inner(s)) / span for p in points(schedule, own)]
        else:
            fractions = ratios.get(order, ())
        return [at(a + r * (b - a)) for r in fractions]

    places = np.cumsum([0, *orders])
    within = [
        stages(j, s, t, order)
        for j, ((s, t), order) in enumerate(zip(pairwise(outer), orders, strict=True))
    ]
    ends = np.cumsum([len(times) for times in within])
    nodes = points(schedule, np.concatenate(within)) if ends[-1] else []

    inner_nodes = [nodes[i - len(own) : i] for i, own in zip(ends, within, strict=True)]
    for s, own in zip(outer, inner_nodes, strict=False):
        for node in own:
            apart([s, node])

    def recursion(predict, x):
        for j, (s, t) in enumerate(pairwise(outer)):
            path = [s, *inner_nodes[j], t]
            if math.isfinite(coordinate(s)) and math.isfinite(coordinate(t)):
                x = step(predict, x, path, j)
            else:
                for a, b in pairwise(path):
                    x = predict(a, x).ddim(b)
        return x

    return run(schedule, recursion, last=outer[-1], denoise=denoise)


def _outer(layout, orders, *, explicit):
    """Outer times, and the function that gives the grid's own inner times."""
    grid = layout.grid
    steps, nfe = len(orders), sum(orders)
    places = np.cumsum([0, *orders])
    if isinstance(grid, str) or callable(grid):
        # The grids are uniform in some variable: with equal orders both rules agree.
        # With unequal ones the programs take every step of equal length on log-SNR
        # (and EDM) grids, and in proportion to its evaluations on the others.
        equal = grid in ("log_snr", "edm") or len(set(orders)) == 1
        times = layout.times(steps if equal else nfe)
        times = times if equal else times[places]

        def inside(s, t, place, order):
            return layout._replace(start=s.t, end=t.t).times(order)[1:-1]

        return times, inside
    times = layout.times(nfe if explicit else steps)
    if not explicit:
        return times, None
    return times[places], lambda s, t, place, order: times[place + 1 : place + order]


def multistep(
    layout: Layout,
    step: Callable[[list[Prediction], Point, int], Linear],
    *,
    nfe: Count,
    order: int,
    coordinate: Coordinate,
    lower_order_final: bool = False,
    denoise: bool = False,
) -> Solver:
    """A solver that reuses the predictions of its last steps: one evaluation a step.

    Step i uses min(order, i + 1) predictions, with lower_order_final also at most
    nfe - i of them. Predictions whose coordinate is infinite have no weight; a step
    to where it is infinite is of first order.

    Args:
        step: (predictions, latest first; t; i) -> x_t.
    """
    path = layout.points(nfe)

    def recursion(predict, x):
        past: list[Prediction] = []
        for i, (s, t) in enumerate(pairwise(path)):
            past = [predict(s, x), *past][:order]
            usable = min(order, nfe - i) if lower_order_final else order
            if not math.isfinite(coordinate(t)):
                usable = 1
            finite = [m for m in past[1:usable] if math.isfinite(coordinate(m.at))]
            x = step([past[0], *finite], t, i)
        return x

    return run(layout.schedule, recursion, last=path[-1], denoise=denoise)


def check_order(order: int, orders: tuple[int, ...]) -> int:
    """The order if it is one of those known."""
    if type(order) is not int or order not in orders:
        raise ValueError(f"order must be one of {orders}; got {shown(order)}.")
    return order

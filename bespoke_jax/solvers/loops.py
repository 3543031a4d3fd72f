"""Budgets and the two loops (singlestep, multistep) that the solvers share."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from bespoke_jax.core.checks import known, real, shown, whole
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear
from bespoke_jax.core.types import Count
from bespoke_jax.grids import MOST_STEPS, Layout
from bespoke_jax.solvers.prediction import (
    Axis,
    Point,
    Predict,
    Prediction,
    apart,
    points,
    points_of,
    run,
)


class Stages(NamedTuple):
    """Where the stages lie inside a step."""

    axis: Axis
    """The variable of the nodes. A step between whose ends it is infinite takes its
    evaluations as first-order steps, uniform in time."""
    ratios: dict[int, tuple[float, ...]] | None
    """The places on the axis, as fractions of a step, by the order of the step; None:
    where a grid of the same name has them."""
    inner: Axis | None = None
    """The variable in which the nodes of such a grid are turned into fractions, which
    then apply on `axis`; None keeps their times."""

    def finite(self, *ends: Point) -> bool:
        """Whether the axis is finite at both ends of a step."""
        return all(math.isfinite(self.axis.value(p)) for p in ends)


def budget(nfe: Count, order: int, mode: str) -> list[int]:
    """The order of every step; a step of order k costs k evaluations.

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


def check_order(order: int, orders: tuple[int, ...]) -> int:
    """The order if it is one of those known."""
    if type(order) is not int or order not in orders:
        raise ValueError(f"order must be one of {orders}; got {shown(order)}.")
    return order


def places(*given: float | int | str) -> tuple[float, ...] | None:
    """r1, or r1 and r2, if they lie inside a step; None for "inner", the grid's own."""
    if given[0] == "inner":
        return None
    if isinstance(given[0], str):
        raise ValueError(f'r1 must lie in (0, 1) or be "inner"; got {given[0]!r}.')
    r = tuple(
        real(name, value, above=0, below=1)
        for name, value in zip(("r1", "r2"), given, strict=False)
    )
    if len(set(r)) < len(r):
        raise ValueError(f"r1 and r2 must be different numbers; got {r[0]} twice.")
    return r


def singlestep(
    layout: Layout,
    step: Callable[[Predict, Linear, list[Point], int], Linear],
    *,
    orders: list[int],
    stages: Stages,
    denoise: bool,
) -> Solver:
    """A solver of self-contained steps: stages at nodes inside each step.

    Args:
        layout: its grid is a name, a callable or the outer times; with stages from the
            grid, all times.
        step: (predict, x, [s, s_1, .., t], j) -> x_t, of order len(nodes) - 1.
        orders: the order of each step.
        stages: where the nodes lie inside a step.
        denoise: return the data prediction at the end.
    """
    outer, inner = _nodes(layout, orders, stages)

    def recursion(predict, x):
        for j, (s, t) in enumerate(pairwise(outer)):
            path = [s, *inner[j], t]
            if stages.finite(s, t):
                x = step(predict, x, path, j)
            else:
                for a, b in pairwise(path):
                    x = predict(a, x).ddim(b)
        return x

    return run(layout.schedule, recursion, last=outer[-1], denoise=denoise)


def _nodes(
    layout: Layout, orders: list[int], stages: Stages
) -> tuple[list[Point], list[list[Point]]]:
    """The ends of the steps, and the stages inside each."""
    times, own = _outer(layout, orders, explicit=stages.ratios is None)
    outer = apart(points(layout.schedule, times))
    within = [
        _inside(layout, stages, s, t, order, own[j])
        for j, ((s, t), order) in enumerate(zip(pairwise(outer), orders, strict=True))
    ]
    # All stages in one call of the schedule.
    flat = [time for times in within for time in times]
    nodes = iter(points(layout.schedule, flat) if flat else [])
    inner = [[next(nodes) for _ in times] for times in within]
    for s, stage in zip(outer, inner, strict=False):
        for node in stage:
            apart([s, node])
    return outer, inner


def _inside(
    layout: Layout,
    stages: Stages,
    s: Point,
    t: Point,
    order: int,
    own: np.ndarray | None,
) -> list[float]:
    """The times of the stages of one step; `own` are those that a list has there."""
    axis, ratios, variable = stages
    if not stages.finite(s, t):
        return np.linspace(s.t, t.t, order + 1)[1:-1].tolist()
    if ratios is None:
        times = layout.within(s.t, t.t, order)[1:-1] if own is None else own
        if variable is None:
            return list(times)
        span = variable.value(t) - variable.value(s)
        nodes = points(layout.schedule, times)
        fractions = [(variable.value(p) - variable.value(s)) / span for p in nodes]
    else:
        fractions = ratios.get(order, ())
    a, b = axis.value(s), axis.value(t)
    assert layout.schedule is not None  # `points` has checked it
    return [axis.time(layout.schedule, a + r * (b - a)) for r in fractions]


def _outer(
    layout: Layout, orders: list[int], *, explicit: bool
) -> tuple[np.ndarray, Sequence[np.ndarray | None]]:
    """The ends of the steps, and the stages of each where a list gives all times."""
    grid, steps, nfe = layout.grid, len(orders), sum(orders)
    places, no_list = np.cumsum([0, *orders]), [None] * steps
    if isinstance(grid, str) or callable(grid):
        # The grids are uniform in some variable: with equal orders both rules agree.
        # With unequal ones the programs take every step of equal length on log-SNR
        # (and EDM) grids, and in proportion to its evaluations on the others.
        equal = grid in ("log_snr", "edm") or len(set(orders)) == 1
        times = layout.times(steps if equal else nfe)
        return times if equal else times[places], no_list
    times = layout.times(nfe if explicit else steps)
    if not explicit:
        return times, no_list
    return times[places], [times[a + 1 : b] for a, b in pairwise(places)]


def multistep(
    layout: Layout,
    step: Callable[[list[Prediction], Point, int], Linear],
    *,
    nfe: Count,
    order: int,
    axis: Axis,
    lower_order_final: bool = False,
    denoise: bool = False,
) -> Solver:
    """A solver that reuses the predictions of its last steps: one evaluation per step.

    Step i uses min(order, i + 1) predictions, with lower_order_final also at most
    nfe - i of them. Predictions where the axis is infinite have no weight; a step to
    where it is infinite is of first order.

    Args:
        step: (predictions, latest first; t; i) -> x_t.
    """
    path = points_of(layout, nfe)

    def recursion(predict, x):
        past: list[Prediction] = []
        for i, (s, t) in enumerate(pairwise(path)):
            past = [predict(s, x), *past][:order]
            usable = min(order, nfe - i) if lower_order_final else order
            if not math.isfinite(axis.value(t)):
                usable = 1
            finite = [m for m in past[1:usable] if math.isfinite(axis.value(m.at))]
            x = step([past[0], *finite], t, i)
        return x

    return run(layout.schedule, recursion, last=path[-1], denoise=denoise)

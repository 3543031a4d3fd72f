"""Grids, budgets and the two loops (singlestep, multistep) that the solvers share."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from bespoke_jax import grids
from bespoke_jax.solvers._prediction import Point, Predict, Prediction, points, run
from bespoke_jax.table import Solver
from bespoke_jax.tracing import Linear

REACH = 5.1
"""Half log-SNR, up and down, to which named noise grids count where it is infinite.

The bound of the DPM-Solver program for cosine schedules (alpha / sigma = 0.0061); VP
itself spans -5.03 to 4.56 at 1 - 1e-3.
"""

Coordinate = Callable[[Point], float]
"""The variable in which a method interpolates: lambda, tau, 1/tau or t."""


def resolve(
    schedule: Any,
    grid: Any,
    n: int,
    end: float | int,
    *,
    start: float | int = 0.0,
    k: float | int = 3.1,
) -> np.ndarray:
    """As `grids.resolve`, also from a later start and through infinite log-SNRs.

    Where alpha is 0 at the start (or sigma at the end), a log_snr, nsr or edm grid is
    the one from half log-SNR -5.1 (to 5.1), with its first (last) time moved to the
    start (end): a first-order step is finite there. A callable is called as
    grid(n, schedule, end), with start=... where the nodes inside a step are asked for.
    `k` is the parameter of "nsr".
    """
    if not (isinstance(grid, str) and grid in ("log_snr", "nsr", "edm")):
        if not start:
            return grids.resolve(grid, n, schedule, end)
        if callable(grid):
            return grids.explicit(grid(n, schedule, end, start=start))
        return getattr(grids, grid)(n, end, start=start)
    options = {"k": k} if grid == "nsr" else {}
    first, last = start, end
    if math.isinf(schedule.log_snr(start)):
        first = float(schedule.time_at_log_snr(-REACH))
    if math.isinf(schedule.log_snr(end)) and grid != "edm":  # edm has sigma = 0
        last = float(schedule.time_at_log_snr(REACH))
    times = getattr(grids, grid)(n, schedule, last, start=first, **options)
    times[0], times[-1] = start, end
    return times


def budget(nfe: int, order: int, mode: str) -> list[int]:
    """The order of every step, whose sum is what they cost.

    fixed: nfe // order steps of that order (nfe mod order evaluations stay unused).
    agile: all of nfe; the remainder goes to lower orders at the end, as in
    DPM-Solver-fast (Lu et al., 2022, arXiv 2206.00927, section 3.4).
    """
    if mode not in ("fixed", "agile"):
        raise ValueError(f'mode must be "fixed" or "agile"; got {mode!r}.')
    if nfe < (order if mode == "fixed" else 1):
        raise ValueError(
            f"a step of order {order} costs {order} evaluations; nfe = {nfe} pays "
            "for none."
        )
    whole, rest = divmod(nfe, order)
    if mode == "fixed":
        return [order] * whole
    if order == 3 and rest == 0:
        return [3] * (whole - 1) + [2, 1]
    return [order] * whole + [rest] * (rest > 0)


def singlestep(
    schedule: Any,
    step: Callable[[Predict, Linear, list[Point], int], Linear],
    *,
    orders: list[int],
    grid: Any,
    end: float | int,
    coordinate: Coordinate,
    at: Callable[[float], Any],
    ratios: dict[int, tuple[float, ...]] | None,
    inner: Coordinate | None = None,
    denoise: bool,
    k: float | int = 3.1,
) -> Solver:
    """A solver of self-contained steps: stages at nodes inside each step.

    A step between whose ends the coordinate is infinite takes its evaluations as
    first-order steps, uniform in time.

    Args:
        step: (predict, x, [s, s_1, .., t], j) -> x_t, of order len(nodes) - 1.
        orders: the order of each step.
        grid: a name, a callable or the outer times; with ratios None, all times.
        coordinate, at: the variable of the nodes, and its inverse to a time.
        ratios: where the nodes lie inside a step, by its order; None: where the grid
            itself puts them.
        inner: the variable in which such grid nodes are expressed as ratios; None is
            the coordinate.
    """
    times, inside = _outer(schedule, grid, orders, end, explicit=ratios is None, k=k)
    outer = points(schedule, times)

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
        return [float(at(a + r * (b - a))) for r in fractions]

    places = np.cumsum([0, *orders])
    within = [
        stages(j, s, t, order)
        for j, ((s, t), order) in enumerate(zip(pairwise(outer), orders, strict=True))
    ]
    ends = np.cumsum([len(times) for times in within])
    nodes = points(schedule, np.concatenate(within)) if ends[-1] else []

    def recursion(predict, x):
        for j, (s, t) in enumerate(pairwise(outer)):
            path = [s, *nodes[ends[j] - len(within[j]) : ends[j]], t]
            if math.isfinite(coordinate(s)) and math.isfinite(coordinate(t)):
                x = step(predict, x, path, j)
            else:
                for a, b in pairwise(path):
                    x = predict(a, x).ddim(b)
        return x

    return run(schedule, recursion, last=outer[-1], denoise=denoise)


def _outer(schedule, grid, orders, end, *, explicit, k):
    """Outer times, and the function that gives the grid's own inner times."""
    steps, nfe = len(orders), sum(orders)
    places = np.cumsum([0, *orders])
    if isinstance(grid, str) or callable(grid):
        # The grids are uniform in some variable: with equal orders both rules agree.
        # With unequal ones the programs take every step of equal length on log-SNR
        # (and EDM) grids, and in proportion to its evaluations on the others.
        whole = grid in ("log_snr", "edm") or len(set(orders)) == 1
        times = resolve(schedule, grid, steps if whole else nfe, end, k=k)
        times = times if whole else times[places]

        def inside(s, t, place, order):
            return resolve(schedule, grid, order, t.t, start=s.t, k=k)[1:-1]

        return times, inside
    times = grids.resolve(grid, nfe if explicit else steps, schedule, end)
    if not explicit:
        return times, None
    return times[places], lambda s, t, place, order: times[place + 1 : place + order]


def multistep(
    schedule: Any,
    step: Callable[[list[Prediction], Point, int], Linear],
    *,
    nfe: int,
    order: int,
    grid: Any,
    end: float | int,
    coordinate: Coordinate,
    lower_order_final: bool = False,
    denoise: bool = False,
    k: float | int = 3.1,
) -> Solver:
    """A solver that reuses the predictions of its last steps: one evaluation a step.

    Step i uses min(order, i + 1) predictions, with lower_order_final also at most
    nfe - i of them. Predictions whose coordinate is infinite have no weight; a step
    to where it is infinite is of first order.

    Args:
        step: (predictions, latest first; t; i) -> x_t.
    """
    times = resolve(schedule, grid, nfe, end, k=k)
    path = points(schedule, times)

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

    return run(schedule, recursion, last=path[-1], denoise=denoise)


def check_order(order: int, known: tuple[int, ...]) -> int:
    """The order if it is one of those known."""
    if order not in known:
        raise ValueError(f"order must be one of {known}; got {order!r}.")
    return order


def check_variant(variant: str, known: tuple[str, ...]) -> str:
    """The variant if it is one of those known."""
    if variant not in known:
        raise ValueError(f"variant must be one of {known}; got {variant!r}.")
    return variant

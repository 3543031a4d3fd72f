"""The stages of a ground truth: look at the field, pilots, batches, and their sum.

Pilots are the first few samples. They place the knots of dense states and are solved
again for the certificate. Where a budget bounds the evaluations, two scouts go ahead of
them and say what a path costs.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax import fields
from bespoke_jax.core.batches import batch_shape, filled, joined, place_like, rows
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.calls import INDEPENDENCE_COST, check_independent
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.reference import certificate as certifying
from bespoke_jax.reference import rounding as noise
from bespoke_jax.reference.adaptive import PER_STEP, Solved, slopes_at
from bespoke_jax.reference.allowance import Allowance
from bespoke_jax.reference.certificate import Check
from bespoke_jax.reference.knots import MOST, choose, fine_times
from bespoke_jax.reference.paths import Certificate, Paths, Stats
from bespoke_jax.reference.problem import (
    Problem,
    integrate,
    raise_on_failure,
    reached,
)
from bespoke_jax.reference.rounding import Rounding

PILOTS = 8
"""Samples that place the knots and earn the certificate."""
LOOKING = INDEPENDENCE_COST + fields.DIRECTION_COST + 2 * noise.COST
"""Evaluations spent at most before the first solve."""
FEWEST = 4
"""Paths that are solved however late it is."""
IN_TIME = 16
"""Paths solved together where seconds are bounded: time is looked at in between."""
_FEW = 16  # a smaller batch shape, for the ends of budgets

Cached = Callable[[int, Callable[[], Sequence[Any]]], Sequence[Any]]


class Samples(NamedTuple):
    """What is to be solved from where."""

    x0: jax.Array
    c: Conditioning

    @property
    def size(self) -> int:
        return self.x0.shape[0]

    def cut(self, start: int, stop: int, shape: int) -> tuple[Any, Any]:
        """Samples start .. stop, filled up to a batch of `shape`."""
        return filled(tuple(self), start, stop, batch_shape(tuple(self), shape))


class Request(NamedTuple):
    """What a caller of `reference.solve` wants to know."""

    problem: Problem
    samples: Samples
    times: np.ndarray
    """(m,) times of the field at which states are wanted, from start to end."""
    dense: bool
    """Whether states and slopes at knots are wanted instead."""
    batch_size: int


class Look(NamedTuple):
    """What a few evaluations say about a field."""

    rounding: Rounding
    floor: float
    """How far rounding may move an end point."""
    double: bool
    """Whether the field computes in float64 when asked."""
    evaluations: int


class Pilots(NamedTuple):
    """The samples that were solved first."""

    times: np.ndarray
    """(m,) times of the field at which all samples are to be known."""
    check: Check
    interpolation: float | None
    parts: list["Part"]
    """Paths that the scouts have solved already."""


class Part(NamedTuple):
    """Finished paths: states (n, m, *shape), slopes likewise or None, costs (n,)."""

    states: Any
    costs: np.ndarray
    slopes: Any = None


def look_at(request: Request) -> Look:
    """Refuse a field that breaks its contract; measure its rounding noise.

    Raises:
        ValueError: samples that notice each other, or velocities that are not finite.
    """
    problem, (x0, c) = request.problem, request.samples
    interval = (problem.start, problem.end)
    fields.check_end(problem.field, problem.end)
    check_independent(problem.field, x0, c, *interval)
    path = fields.schedule_of(problem.field)
    if path is not None:
        fields.warn_spread(x0, path, problem.start)
    spent = fields.warn_direction(problem.field, x0, c, *interval)
    found = noise.rounding(problem.field, x0, c, *interval)
    few = rows(x0, slice(0, PILOTS))
    floor = certifying.resolution(problem, found, few)
    certifying.warn_unresolved(problem, found, few)
    spent += INDEPENDENCE_COST + noise.COST
    if x0.dtype == np.float64 or found.low_precision:
        double = found.relative < certifying.DOUBLE
        return Look(found, floor, double, spent)
    double = certifying.computes_in_double(problem, x0, c)
    return Look(found, floor, double, spent + noise.COST)


def pilots(
    request: Request, look: Look, allowance: Allowance, cached: Cached
) -> Pilots:
    """Scouts, knots and the check, or what an interrupted run has saved of them."""

    budget, dense = allowance.budget, request.dense

    def compute() -> list[Any]:
        if dense or budget.bounded:
            return _scouted(request, look, allowance)
        problem, samples, times, *_ = request
        many, limit = allowance.pilots(min(PILOTS, samples.size), 0)
        x, c = rows(tuple(samples), slice(0, many))
        made = certifying.check(problem, x, c, times, double=look.double, limit=limit)
        return [times, made.states, np.array([made.evaluations, 0.0])]

    kept = cached(0, compute)
    at, states, numbers = kept[:3]
    budget.pay(int(numbers[0]))
    parts: list[Part] = []
    if len(kept) > 3:
        budget.pay(int(kept[3].sum()))
    if len(kept) > 3 and budget.bounded:
        allowance.learn(kept[3])
        if not dense:
            parts.append(Part(kept[4], kept[3]))
    check = Check(states, int(numbers[0]), look.double)
    interpolation = float(numbers[1]) if dense else None
    return Pilots(at, check, interpolation, parts)


def _scouted(request: Request, look: Look, allowance: Allowance) -> list[Any]:
    """[times, states of the check, (evaluations, interpolation), costs, states]."""
    problem, samples, times, dense, _ = request
    many, limit = allowance.paths(min(PILOTS, samples.size))
    x, c = samples.cut(0, many, many)
    scouts = integrate(problem, x, c, times, limit=limit)
    scouts = jax.tree.map(lambda leaf: leaf[:many], scouts)
    _refuse_what_is_cut(problem, scouts, allowance, limit)
    costs = to_host(scouts.evaluations)
    # A trial of what the caller notes down: the pilots are chosen by it.
    trial = allowance.after(costs)
    few, limit = trial.pilots(min(PILOTS, samples.size), MOST + 1 if dense else 0)
    x, c = rows(tuple(samples), slice(0, few))
    if dense:
        frame = problem.frame
        first, last = (float(frame.time(t)) for t in (problem.start, problem.end))
        fine = fine_times(scouts.accepted, first, last)
        times = np.array(frame.field_time(fine), np.float64)
        times[0], times[-1] = problem.start, problem.end
    check = certifying.check(problem, x, c, times, double=look.double, limit=limit)
    if not dense:
        numbers = np.array([check.evaluations, 0.0])
        return [times, check.states, numbers, costs, to_host(scouts.states)]
    good = np.isfinite(check.states).reshape(few, -1).all(1)
    if not good.any():
        allowance.refuse(2 * int(costs.max()), MOST + 1)
    states = check.states[good]
    knots, error, spent = choose(
        problem.field,
        jax.tree.map(lambda leaf: leaf[np.flatnonzero(good)], c),
        times,
        np.asarray(states, samples.x0.dtype),
        problem.control.rtol,
        problem.control.atol,
    )
    numbers = np.array([check.evaluations + spent, error])
    return [times[knots], check.states[:, knots], numbers, costs]


def _refuse_what_is_cut(
    problem: Problem, scouts: Solved, allowance: Allowance, limit: int
) -> None:
    bad = ~to_host(scouts.ok)
    if not bad.any():
        return
    costs = to_host(scouts.evaluations)
    if not (bad & (costs + PER_STEP + 1 > limit)).any():
        raise_on_failure(problem, scouts, 0)
    share = np.maximum(reached(problem, scouts), 0.02)
    allowance.refuse(max(1.5 * float((costs / share).max()), 2 * limit))


def batches(
    request: Request,
    found: Pilots,
    allowance: Allowance,
    cached: Cached,
    note: Callable[[int, float], None],
) -> list[Part]:
    """All paths that the budget pays for; `note(paths, mean cost)` after each batch."""
    samples, batch_size, dense = request.samples, request.batch_size, request.dense
    budget = allowance.budget
    parts, number = list(found.parts), 1
    extra = len(found.times) if dense else 0
    done = sum(len(part.states) for part in parts)
    note(done, 0.0)
    while done < samples.size and not (budget.late and done >= FEWEST):
        wanted = min(batch_size, samples.size - done)
        many, limit = allowance.paths(wanted, extra)
        if not many:
            break
        few = many <= _FEW and budget.bounded
        shape = min(batch_size, samples.size, _FEW if few else samples.size)
        batch = partial(_batch, request, found.times, done, done + many, shape, limit)
        costs, kept, states, *slopes = cached(number, batch)
        many, kept = int(kept[0]), int(kept[1])
        part = Part(states[:kept], costs[:kept], slopes[0][:kept] if dense else None)
        budget.pay(int(costs.sum()) + kept * extra)
        allowance.learn(costs)
        parts.append(part)
        done, number = done + kept, number + 1
        note(kept, float(np.concatenate([part.costs for part in parts]).mean()))
    return parts


def _batch(
    request: Request,
    times: np.ndarray,
    start: int,
    stop: int,
    shape: int,
    limit: int,
) -> list[Any]:
    """[costs, (asked, kept), states, slopes if dense] of samples start .. stop.

    Kept are those before the first that its limit has stopped.
    """
    problem, samples, many = request.problem, request.samples, stop - start
    x, c = samples.cut(start, stop, shape)
    solved = integrate(problem, x, c, times, limit=limit)
    ok, costs = (v[:many] for v in to_host((solved.ok, solved.evaluations)))
    real = ~ok & (costs + PER_STEP + 1 <= limit)
    if real.any():
        first = jax.tree.map(lambda leaf: leaf[:many], solved)
        raise_on_failure(problem, first._replace(ok=~real), start)
    kept = many if ok.all() else int(np.argmin(ok))
    out = [costs, np.array([many, kept]), solved.states[:many]]
    if request.dense:
        t = jnp.asarray(times, x.dtype)
        out.append(slopes_at(problem.field, t, solved.states, c)[:many])
    return out


def assemble(
    request: Request,
    times: np.ndarray,
    parts: Sequence[Part],
    certify: Callable[[Arr], Certificate | None],
    budget: Budget,
) -> Paths:
    """Paths of all parts, placed as x0 is.

    Args:
        request: what was asked for.
        times: (m,) times of the field of the states.
        parts: in the order of the samples.
        certify: the certificate of all states (N, m, *shape).
        budget: what was spent.
    """
    problem, samples = request.problem, request.samples
    costs = np.concatenate([part.costs for part in parts])
    x0, c = samples
    size = len(costs)
    states = joined([part.states for part in parts], size, samples.x0)
    if size < samples.size:
        every = budget.spent / size * samples.size
        warnings.warn(
            f"the budget pays for {size} of {samples.size} paths, the first ones; all "
            f"of them would cost about {every:.2g} evaluations.",
            stacklevel=4,
        )
        x0, c = rows(tuple(samples), slice(0, size))
    slopes = None
    if parts[0].slopes is not None:
        slopes = joined([part.slopes for part in parts], size, samples.x0)
    scalar = lambda value: jnp.asarray(value, x0.dtype)
    return Paths(
        x0=x0,
        x1=place_like(states[:, -1], samples.x0),
        c=c,
        knots=jnp.asarray(times, x0.dtype),
        states=states,
        slopes=slopes,
        start=scalar(problem.start),
        end=scalar(problem.end),
        stats=Stats(
            float(costs.mean()), int(costs.max()), budget.spent, budget.elapsed
        ),
        certificate=certify(states),
        control=problem.control,
    )


def certificate(
    request: Request, found: Pilots, look: Look, states: Arr
) -> Certificate | None:
    """That of the check, and a warning where it is bad."""
    return certifying.certificate(
        request.problem,
        found.check,
        states[: len(found.check.states)],
        interpolation=found.interpolation,
        floor=look.floor,
    )

"""The public calls: `solve`, `solve_at` inside compiled code, and `invert`."""

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax import fields
from bespoke_jax.core import checks
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.calls import as_field, as_states, evaluate
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import Conditioning, State
from bespoke_jax.families.family import check_interval
from bespoke_jax.reference import fixed, pipeline
from bespoke_jax.reference.adaptive import METHODS, solve_each
from bespoke_jax.reference.fixed import Plan, Sought
from bespoke_jax.reference.frame import frame_of
from bespoke_jax.reference.paths import Control, Paths
from bespoke_jax.reference.pipeline import Request, Samples
from bespoke_jax.reference.problem import Problem, check_control
from bespoke_jax.reference.running import run
from bespoke_jax.schedules import CondOT

SHARE = 0.05
"""Bounds the error by about a tenth of that of a fitted solver, which has a half to a
third of the error of training-free ones."""


def solve(
    field: VelocityField,
    x0: State,
    *,
    c: Conditioning = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    method: str = "tsit5",
    schedule: Schedule | None = None,
    dense: bool = True,
    times: Any = None,
    jumps: Any = (),
    batch_size: int = 128,
    max_steps: int = 4096,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Paths:
    """Integrate dx/dt = u(t, x) from `start` to `end` adaptively, for every sample.

    A field on a path whose rates jump at known times (`schedules.DiscreteVP`) is solved
    in a time in which it is smooth, and returned in its own.

    Args:
        field: velocity field `field(t, x)` or `field(t, x, c)`.
        x0: (N, *shape) states at `start`. At start = 0: noise, times sigma_0 of the
            schedule. Sharded over its samples, so is the work, and are the paths.
        c: conditioning, leading axis N.
        start, end: the interval, 0 <= start < end <= 1; end below 1 where the field is
            singular at the data (noise and data predictions).
        rtol, atol: tolerances of the step-size control, per sample, on its RMS norm.
        method: "tsit5" or "dopri5"; or "multistep": one solver of the table for all
            samples, of the fewest evaluations at which the error of four pilots, by
            comparison with a solve of a third fewer, is below the tolerance. Cheaper
            at loose tolerances (1e-3) on smooth fields; no sample waits for another.
        schedule: path of the model, for "multistep"; None is the one that the field was
            made with (`fields.schedule_of`), or CondOT. Any of them converges.
        dense: states and slopes at knots, for `paths.at`; False computes end points
            alone, at a half to a quarter of the evaluations.
        times: (m,) increasing times in [start, end]: states there, at start and at end
            (`knots` holds all of them), without slopes; `dense` is then not read.
        jumps: times at which the field jumps; no step crosses one. Those that a field
            of this package knows of itself are added.
        batch_size: samples integrated together; bounds memory.
        max_steps: accepted and rejected steps allowed per sample.
        evaluations: network evaluations of single samples to spend at most, for
            everything (`Paths.stats.evaluations`); None is no bound. As many of the
            first samples as that pays for are solved, and at most a fifth of it goes
            into the certificate, which may then rest on a single sample.
        seconds: wall-clock to spend, after which no further batch is begun (at least 4
            paths are solved, and batches are of at most 16); None is no bound.
        directory: where to keep finished batches. The same call with the same directory
            goes on after the last one, to the same paths.
        progress: show a progress bar.

    Returns:
        Paths with cost and certificate: the measured difference to another method at
        ten times tighter tolerance, in float64 where the field computes in it.

    Raises:
        ValueError: arguments out of range, x0 that is not finite, a field that is not
            finite or lets samples notice each other, too few evaluations for two paths
            (naming the least), or a directory that holds other paths.
        RuntimeError: a solve failed; names samples, the time reached and tolerance. Or
            "multistep" does not reach the tolerance in 512 evaluations.

    Warns:
        UserWarning: a tolerance below what the field's arithmetic resolves, an error
            above ten times the tolerance, a budget that does not pay for all samples.
    """
    x0 = _checked(x0, c, start, end, batch_size)
    budget, folder = Budget(evaluations, seconds), _folder(directory)
    if math.isfinite(budget.seconds):  # looked at between batches
        batch_size = min(batch_size, pipeline.IN_TIME)
    dense = dense and times is None
    control = Control(rtol, atol, method, max_steps)
    request = Request(
        _problem(field, start, end, jumps, control, (fixed.METHOD,)),
        Samples(x0, c), _times(times, float(start), float(end)), dense, batch_size,
    )  # fmt: skip
    plan = None
    if method == fixed.METHOD:
        _refuse("times", times is not None)
        _refuse("jumps", np.size(jumps) > 0)
        plan = _plan(request, schedule, None)
    paths = run(request, budget, folder, progress, plan)
    if dense or times is not None:
        return paths
    return paths._replace(knots=None, states=None)


def solve_for(
    field: VelocityField,
    x0: State,
    *,
    nfe: int,
    share: float = SHARE,
    c: Conditioning = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
    schedule: Schedule | None = None,
    batch_size: int = 128,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Paths:
    """Dense paths just accurate enough to fit and judge solvers of `nfe` evaluations.

    The "multistep" method of `solve` at the absolute tolerance

        share min_s mean_i |x_i^s - x_i|

    over the pilots i and the training-free solvers s of nfe evaluations that it tries.
    Fitted solvers have a third to a half of that error.

    Args:
        field, x0, c, start, end, schedule, batch_size, evaluations, seconds, directory,
            progress: as `solve`.
        nfe: evaluations of the solvers that the paths are for; the largest of several.
        share: of their error, in (0, 1).

    Returns:
        Paths; `control.atol` is the tolerance.

    Raises:
        ValueError, RuntimeError: as `solve`.
    """
    x0 = _checked(x0, c, start, end, batch_size)
    sought = Sought(
        checks.whole("nfe", nfe, most=1000),
        checks.real("share", share, above=0, below=1),
    )
    budget, folder = Budget(evaluations, seconds), _folder(directory)
    if math.isfinite(budget.seconds):  # looked at between batches
        batch_size = min(batch_size, pipeline.IN_TIME)
    control = Control(1e-5, 1e-5, fixed.METHOD)
    request = Request(
        _problem(field, start, end, (), control, (fixed.METHOD,)), Samples(x0, c),
        _times(None, float(start), float(end)), True, batch_size,
    )  # fmt: skip
    plan = _plan(request, schedule, sought)
    return run(request, budget, folder, progress, plan)


def invert(
    field: VelocityField,
    x1: State,
    *,
    c: Conditioning = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    method: str = "tsit5",
    jumps: Any = (),
    batch_size: int = 128,
    max_steps: int = 4096,
    evaluations: float | int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> jax.Array:
    """The states at `start` whose paths pass through x1 at `end`: from data to noise.

    `invert` of `solve(...).x1` gives x0 to within the tolerances of both. A solver of
    few evaluations inverts as well: `sample` with the field -u(end + start - t, x).

    Args:
        field, c, start, end, rtol, atol, method, jumps, batch_size, max_steps,
            evaluations, directory, progress: as `solve`.
        x1: (N, *shape) states at `end`.

    Returns:
        (N, *shape) states at `start`; fewer where `evaluations` does not pay for all.

    Raises:
        ValueError, RuntimeError: as `solve`.
    """
    x1 = _checked(x1, c, start, end, batch_size, name="x1")
    request = Request(
        _problem(field, end, start, jumps, Control(rtol, atol, method, max_steps)),
        Samples(x1, c), np.array([end, start], np.float64), False, batch_size,
    )  # fmt: skip
    budget, folder = Budget(evaluations), _folder(directory)
    return run(request, budget, folder, progress).x1


def solve_at(
    field: VelocityField,
    paths: Paths,
    times: jax.Array,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    method: str = "tsit5",
    max_steps: int = 4096,
) -> tuple[jax.Array, jax.Array]:
    """Exact states and velocities at given times, solved for again from paths.x0.

    For use inside compiled code, where the times are not known before: the ground truth
    "on line" of the Bespoke paper. `solve` and `paths.at` cost one solve for all fits.

    Args:
        field: the velocity field.
        paths: only x0 and c are read.
        times: (m,) from the start to the end of the paths, not decreasing.
        rtol, atol, method, max_steps: as `solve`.

    Returns:
        x and u(t, x), each (m, N, *shape). u is 0 at the first and the last time, whose
        states are not moved and where it may be infinite. A sample whose solve fails is
        inf from there on.

    Reference: Shaul et al. (2024), arXiv 2310.19075, algorithm 2.
    """
    checks.instance("paths", paths, Paths, "the Paths of reference.solve")
    checks.samples("paths.x0", paths.x0)
    times = jnp.asarray(checks.numbers("times", times), paths.x0.dtype)
    control = check_control(Control(rtol, atol, method, max_steps))
    solved = solve_each(
        as_field(field), paths.x0, paths.c, times, control.rtol, control.atol,
        method=METHODS[control.method], max_steps=control.max_steps,
    )  # fmt: skip
    states = jnp.swapaxes(solved.states, 0, 1)
    # One time after the other: the memory of one network call.
    inner = jax.lax.map(
        lambda row: evaluate(field, row[0], row[1], paths.c),
        (times[1:-1], states[1:-1]),
    )
    zero = jnp.zeros_like(states[:1])
    return states, jnp.concatenate([zero, inner, zero])


def _plan(request: Request, schedule: Schedule | None, sought: Sought | None) -> Plan:
    known = schedule or fields.schedule_of(request.problem.field) or CondOT()
    return Plan(checks.schedule("schedule", known), sought)


def _refuse(name: str, given: bool) -> None:
    if given:
        raise ValueError(
            f'{name} need adaptive steps; use method="tsit5", or leave {name} out '
            f'with method="{fixed.METHOD}".'
        )


def _problem(
    field: VelocityField,
    start: float | int,
    end: float | int,
    jumps: Any,
    control: Control,
    further: tuple[str, ...] = (),
) -> Problem:
    field = as_field(field)
    frame = frame_of(field, start, end, jumps)
    return Problem(
        field, float(start), float(end), check_control(control, further), frame
    )


def _folder(directory: str | Path | None) -> Path | None:
    return None if directory is None else checks.path("directory", directory)


def _checked(
    x0: Any,
    c: Any,
    start: float | int,
    end: float | int,
    batch_size: int,
    *,
    name: str = "x0",
) -> jax.Array:
    check_interval(start, end)
    checks.whole("batch_size", batch_size)
    x0 = as_states(x0, c, name=name)
    finite = to_host(jnp.isfinite(x0).all(tuple(range(1, x0.ndim))))
    if not finite.all():
        bad = np.flatnonzero(~finite)[:8]
        raise ValueError(f"{name} is not finite in samples {bad}.")
    return x0


def _times(times: Any, start: float, end: float) -> np.ndarray:
    """start, the times in between, end."""
    if times is None:
        return np.array([start, end])
    times = np.asarray(checks.numbers("times", times), np.float64)
    if times.ndim != 1 or not (np.diff(times) > 0).all():
        raise ValueError(
            "times must be an increasing sequence of numbers; got "
            f"{checks.shown(times)}."
        )
    if times.size and not (start <= times[0] and times[-1] <= end):
        raise ValueError(
            f"times must lie in [{start:g}, {end:g}]; got {times[0]:g} to "
            f"{times[-1]:g}."
        )
    inner = times[(times > start) & (times < end)]
    return np.concatenate([[start], inner, [end]])

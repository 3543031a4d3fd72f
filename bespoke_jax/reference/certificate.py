"""An independent measurement of the ground truth's error.

The check uses the other pair of Runge-Kutta formulas, at ten times tighter tolerance,
and in float64 where the field computes in it. It therefore shares neither formula, nor
steps, nor rounding with the solve that it checks.
"""

import warnings
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import magnitude, rms
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.reference import rounding as noise
from bespoke_jax.reference.adaptive import UNLIMITED
from bespoke_jax.reference.paths import Certificate
from bespoke_jax.reference.problem import (
    Problem,
    integrate,
    raise_on_failure,
    widened,
)
from bespoke_jax.reference.rounding import Rounding

OTHER = {"tsit5": "dopri5", "dopri5": "tsit5"}
_TIGHTER = 10.0
DOUBLE = 1e-10
"""Relative noise below which a field really computes in float64."""
_UNITS = 4
_WORSE = 10.0
"""Errors above this many times the tolerance raise a warning."""


class Check(NamedTuple):
    """The pilots solved again."""

    states: np.ndarray
    """(pilots, m, *shape) at the times asked for; inf where the limit was reached."""
    evaluations: int
    double: bool
    """Whether in float64."""


def computes_in_double(problem: Problem, x: Arr, c: Conditioning) -> bool:
    """Whether the field, given float64, computes in it; costs `rounding.COST`."""
    with jax.enable_x64(True):
        try:
            field, x, c = widened((problem.field, x, c))
            wide = noise.rounding(field, x, c, problem.start, problem.end)
        except Exception:  # a network may refuse float64 in any way it likes
            return False
        return wide.relative < DOUBLE


def check(
    problem: Problem,
    x: Arr,
    c: Conditioning,
    times: np.ndarray,
    *,
    double: bool,
    limit: int = UNLIMITED,
) -> Check:
    """Solve the pilots again by the other method, at a tighter tolerance."""
    method = OTHER[problem.control.method]
    solve = partial(integrate, times=times, method=method, factor=_TIGHTER, limit=limit)
    if double:
        with jax.enable_x64(True):
            field, x, c = widened((problem.field, x, c))
            wide = problem._replace(field=field)
            solved = to_host(solve(wide, x, c))
    else:
        solved = to_host(solve(problem, x, c))
    if limit == UNLIMITED:
        raise_on_failure(problem, solved, 0)
    return Check(solved.states, int(solved.evaluations.sum()), double)


def resolution(problem: Problem, found: Rounding, x: Arr) -> float:
    """How far rounding alone may move an end point, as an RMS norm.

    Of the states, some units of the largest of the samples x; of the velocity, its
    noise over the whole interval.
    """
    units = _UNITS * float(jnp.finfo(x.dtype).eps) * float(rms(x).max())
    return units + found.noise * abs(problem.end - problem.start)


def warn_unresolved(problem: Problem, found: Rounding, x: Arr) -> None:
    """Warn where the tolerance is below the rounding noise of the field."""
    floor, control = resolution(problem, found, x), problem.control
    size = float(rms(x).max())
    if control.atol + control.rtol * size >= floor:
        return
    low = f"the field resolves, whose rounding noise is {found.relative:.1g} of it"
    what = low if found.low_precision else f"{x.dtype} resolves"
    warnings.warn(
        f"rtol = {control.rtol:g}, atol = {control.atol:g} is below what {what}: steps "
        f"are spent on rounding; {floor:.1g} is the least tolerance that means "
        "something here.",
        stacklevel=5,
    )


def certificate(
    problem: Problem,
    checked: Check,
    states: Arr,
    *,
    interpolation: float | None,
    floor: float,
) -> Certificate | None:
    """The certificate of states (pilots, m, *shape), and a warning where it is bad."""
    problem_dtype, states = states.dtype, to_host(states).astype(np.float64)
    exact = np.asarray(checked.states[: len(states)], np.float64)
    good = np.isfinite(exact).reshape(len(exact), -1).all(1)
    if not good.any():
        warnings.warn(
            "the check of the ground truth did not finish within its fifth of the "
            "evaluations; there is no certificate.",
            stacklevel=5,
        )
        return None
    off = np.asarray(jax.vmap(rms)(jnp.asarray(states[good] - exact[good])))
    dtype = np.float64 if checked.double else np.dtype(checked.states.dtype)
    rtol, atol = problem.tighter(_TIGHTER, dtype)
    # A check in more precision than the solve sees rounding too.
    wider = np.finfo(dtype).eps < jnp.finfo(problem_dtype).eps
    resolved = bool(wider or off[:, -1].max() > floor)
    low = 0.0 if resolved else floor
    end, every = max(float(off[:, -1].max()), low), max(float(off.max()), low)
    made = Certificate(
        int(good.sum()), rtol, atol, end, every, interpolation,
        OTHER[problem.control.method], np.dtype(dtype).name, resolved,
    )  # fmt: skip
    scale = magnitude(exact[good][:, -1])
    asked = problem.control.atol + problem.control.rtol * scale
    if resolved and end > max(_WORSE * asked, floor):
        warnings.warn(
            f"the ground truth is {end / asked:.0f} times less accurate than its "
            f"tolerance: {made.text}. Tighten the tolerance, or name the times at "
            "which the field jumps (jumps=).",
            stacklevel=5,
        )
    return made

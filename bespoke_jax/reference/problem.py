"""`Problem`: a field, its interval and the control of its integration."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from bespoke_jax.core import checks
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.reference.adaptive import METHODS, UNLIMITED, Solved, solve_each
from bespoke_jax.reference.frame import Frame
from bespoke_jax.reference.paths import Control

_FLOOR = 10
"""Tolerances below this many units of rounding would be rejected forever."""


def check_control(control: Control, further: tuple[str, ...] = ()) -> Control:
    """The control, if all of it is usable.

    Args:
        control: of any numbers.
        further: methods that are allowed beside the adaptive ones.

    Raises:
        ValueError: naming what is not.
    """
    return Control(
        checks.real("rtol", control.rtol, above=0),
        checks.real("atol", control.atol, above=0),
        checks.known("method", control.method, (*METHODS, *further)),
        checks.whole("max_steps", control.max_steps, most=2**31 - 1),
    )


class Problem(NamedTuple):
    """dx/dt = u(t, x) from x0 at `start` to `end`, which may lie before it."""

    field: VelocityField
    """A field in the form of `core.calls.as_field`."""
    start: float
    end: float
    control: Control
    frame: Frame

    def tighter(self, factor: float, dtype: np.dtype | type) -> tuple[float, float]:
        """(rtol, atol) over a factor, but not below what the dtype resolves."""
        floor = _FLOOR * float(jnp.finfo(dtype).eps)
        limit = lambda tol: max(tol / factor, min(tol, floor))
        return limit(self.control.rtol), limit(self.control.atol)


def integrate(
    problem: Problem,
    x: Arr,
    c: Conditioning,
    times: Arr,
    *,
    method: str | None = None,
    factor: float = 1.0,
    limit: int = UNLIMITED,
) -> Solved:
    """States of the field at `times`, the first of which is its start.

    Args:
        problem: what to solve.
        x, c: the samples, and their conditioning.
        times: (m,) times of the field on the host, from start to end.
        method: another method than that of the problem's control.
        factor: how much tighter than the control asks.
        limit: network evaluations of each sample at most.
    """
    frame, control = problem.frame, problem.control
    dtype, times = x.dtype, np.asarray(times, np.float64)
    scale = np.asarray(frame.scale(times), np.float64)
    if frame.schedule is not None:
        factor = factor / frame.tolerance
    rtol, atol = problem.tighter(factor, dtype)
    # As arrays: other times and tolerances do not compile again.
    array = lambda value: jnp.asarray(value, dtype)
    jumps = array(frame.time(np.asarray(frame.jumps))) if frame.jumps else None
    solved = solve_each(
        frame.carry(problem.field),
        x * array(scale[0]),
        c,
        array(frame.time(times)),
        array(rtol),
        array(atol),
        method=METHODS[method or control.method],
        max_steps=control.max_steps,
        jumps=jumps,
        limit=jnp.asarray(limit, jnp.int32),
    )
    back = array(scale).reshape(1, -1, *(1,) * (x.ndim - 1))
    states = (solved.states / back).at[:, 0].set(x)
    return solved._replace(states=states)


def reached(problem: Problem, solved: Solved) -> np.ndarray:
    """(batch,) the share of the interval, in the frame's time, that was solved."""
    first, last = (float(problem.frame.time(t)) for t in (problem.start, problem.end))
    accepted = to_host(solved.accepted).astype(np.float64)
    share = np.where(np.isfinite(accepted), (accepted - first) / (last - first), 0.0)
    return np.maximum(share.max(1), 0.0)


def raise_on_failure(problem: Problem, solved: Solved, first: int) -> None:
    """Raise where a solve ended early.

    Raises:
        RuntimeError: naming samples (numbered from `first`), time and tolerance.
    """
    bad = np.flatnonzero(~to_host(solved.ok))
    if not bad.size:
        return
    control, share = problem.control, reached(problem, solved)[bad].min()
    a, b = (problem.frame.time(t) for t in (problem.start, problem.end))
    earliest = float(problem.frame.field_time(a + share * (b - a)))
    names = ", ".join(str(i) for i in (first + bad)[:8])
    raise RuntimeError(
        f"the reference solve failed for {len(bad)} of {len(solved.ok)} samples "
        f"(samples {names}{', ...' if len(bad) > 8 else ''}); the earliest stopped "
        f"after t = {earliest:.6g} of {problem.end:.6g} at rtol = {control.rtol:g}, "
        f"atol = {control.atol:g}, within {control.max_steps} steps. Noise and data "
        "predictions are singular at t = 1 (use end < 1); otherwise loosen the "
        "tolerance or raise max_steps. A field that returns nan after that time ends "
        "the same way."
    )


def widened(tree: PyTree) -> PyTree:
    """The same numbers in float64; only of use while JAX has float64 enabled."""

    def wide(leaf):
        if isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(
            leaf.dtype, jnp.floating
        ):
            return jnp.asarray(leaf).astype(np.float64)
        return leaf

    return jax.tree.map(wide, tree)

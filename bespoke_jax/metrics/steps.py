"""Errors of single rows along the path, and the curvature of the path."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.calls import as_field, evaluate
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import rms
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.rows import advance
from bespoke_jax.core.sample import trajectory
from bespoke_jax.core.solver import Solver, check_form
from bespoke_jax.reference.paths import Paths, at, require_dense


class StepErrors(NamedTuple):
    """Errors of the rows of (S), (nfe,) each, means over samples of per-sample RMS."""

    t: np.ndarray
    """Times t_1 .. t_n of the rows' states, the last the end."""
    local: np.ndarray
    """Of a row whose inputs are exact."""
    reached: np.ndarray
    """Of the state in an actual solve, accumulated over all rows so far."""


def step_errors(field: VelocityField, solver: Solver, paths: Paths) -> StepErrors:
    """The error of each row of (S), and the accumulated error of its state.

        local_i   = |a_i x_0 + sum_k p_ik x(t_{i-k}) + sum_k q_ik u_{i-k} - x(t_{i+1})|
        reached_i = |x_{i+1} - x(t_{i+1})|

    with exact states x(t), and u_j = u(t_j, x(t_j)) in `local`. A row that is a stage
    of a Runge-Kutta step has an error of the stage's low order. Inner states of a
    fitted solver need not lie on the path: its loss only sees the last one.

    Args:
        field: velocity field of the paths.
        solver: any `Solver` that ends where the paths do.
        paths: ground truth with dense states.

    Raises:
        ValueError: a malformed solver.
    """
    require_dense(paths, "step_errors")
    dtype = paths.x0.dtype
    check_form(solver)
    times = np.append(np.asarray(solver.t, np.float64), float(solver.end))
    exact, _ = at(paths, times.astype(dtype))
    rows = Solver(*(jnp.asarray(leaf, dtype) for leaf in solver))
    local = _local(as_field(field), rows, exact, paths.c)
    states = trajectory(field, solver, paths.x0, c=paths.c)
    mean = lambda x: to_host(jnp.mean(jax.vmap(rms)(x - exact[1:]), axis=1))
    return StepErrors(times[1:], mean(local), mean(states[1:]))


@jax.jit
def _local(field, rows, exact, c):
    """Every row of (S) from the exact states before it, (n, N, *shape)."""
    n = rows.nfe
    u = jax.lax.map(
        lambda row: evaluate(field, row[0], row[1], c), (rows.t, exact[:-1])
    )

    def lagged(y, width):
        """y_{i-k} of all rows i, the largest lag k first."""
        return [jnp.roll(y, lag, axis=0) for lag in reversed(range(min(width, n)))]

    xs, us = lagged(exact[:-1], rows.p.shape[1]), lagged(u, rows.q.shape[1])
    # Rolled entries before the first state have weight 0.
    return advance(rows.a, rows.p, rows.q, exact[:1], xs, us)


class Curvature(NamedTuple):
    """How far paths are from straight lines; means over samples of per-sample RMS."""

    t: np.ndarray
    """(K + 1,) knots."""
    departure: np.ndarray
    """(K + 1,) of the velocity from the mean velocity, in data units per unit time."""
    acceleration: np.ndarray
    """(K,) of the velocity's change over each interval, by its length."""
    straightness: float
    """int_0^end E |(x_1 - x_0) / end - v(t)|^2 dt; 0 where one Euler step is exact."""


def curvature(paths: Paths) -> Curvature:
    """How much ground-truth paths bend at each knot.

        departure(t)    = E | v(t) - (x_1 - x_0) / (end - start) |
        acceleration(t) = E | v(t + h) - v(t) | / h

    with v = dx/dt at the knots of `paths`, and norms the per-sample RMS. The integral
    of the squared departure is the straightness of Liu, Gong and Liu (2022), arXiv
    2209.03003, section 2.2 (there with the sum over axes instead of the mean).
    """
    require_dense(paths, "curvature")
    t = np.asarray(paths.knots, np.float64)
    velocity = jnp.swapaxes(paths.slopes, 0, 1)
    length = jnp.asarray(paths.end - paths.start, paths.x0.dtype)
    chord = (paths.x1 - paths.x0) / length
    departures = jax.vmap(rms)(velocity - chord[None])  # (K + 1, N)
    step = jnp.asarray(np.diff(t), velocity.dtype)
    change = jax.vmap(rms)(velocity[1:] - velocity[:-1]) / step[:, None]
    mean = lambda x: to_host(jnp.mean(x, axis=1))
    square = mean(departures**2).astype(np.float64)
    return Curvature(
        t,
        mean(departures),
        mean(change),
        float(np.sum(np.diff(t) * (square[1:] + square[:-1]) / 2)),
    )

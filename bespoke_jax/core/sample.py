"""One `lax.scan` runs every solver: `sample` and `trajectory`."""

from functools import partial
from typing import overload

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core import endpoints
from bespoke_jax.core.calls import as_field, as_states, evaluate
from bespoke_jax.core.checks import static_schedule
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.solver import Solver, check_form
from bespoke_jax.core.types import Arr, Conditioning


def sample(
    field: VelocityField,
    solver: Solver,
    x0: Arr,
    *,
    c: Conditioning = None,
    checkpoint: bool = False,
) -> jax.Array:
    """Solve dx/dt = u(t, x) from x(0) = x_0 by (S) and return the sample x_nfe.

    Traced once per (nfe, windows, shapes): new coefficients or weights do not
    recompile. States and coefficients are float32 or better whatever the network's
    own precision. Transforms (`jit`, `vmap` over a stack of solvers, `grad`, `jvp`)
    go through.

    Args:
        field: velocity field `field(t, x, c)`; see `bespoke_jax.fields`.
        solver: the rows of (S).
        x0: (batch, *shape) states at t = 0: noise, times sigma_0 of the schedule.
        c: per-sample conditioning, leading axis batch.
        checkpoint: recompute the network in the backward pass, so that a gradient
            keeps the activations of one evaluation instead of nfe.

    Returns:
        (batch, *shape) states at t = solver.end.

    Raises:
        ValueError: malformed solver, or an x0 or c of the wrong form.
    """
    return _run(
        as_field(field), check_form(solver), as_states(x0, c), c, checkpoint, False
    )


@overload
def trajectory(
    field: VelocityField,
    solver: Solver,
    x0: Arr,
    *,
    c: Conditioning = None,
    predictions: None = None,
) -> jax.Array: ...
@overload
def trajectory(
    field: VelocityField,
    solver: Solver,
    x0: Arr,
    *,
    c: Conditioning = None,
    predictions: Schedule,
) -> tuple[jax.Array, jax.Array]: ...
def trajectory(
    field: VelocityField,
    solver: Solver,
    x0: Arr,
    *,
    c: Conditioning = None,
    predictions: Schedule | None = None,
) -> jax.Array | tuple[jax.Array, jax.Array]:
    """All states x_0 .. x_nfe of `sample`, shape (nfe + 1, batch, *shape).

    State i < nfe sits at time `solver.t[i]`, the last at `solver.end`. For methods of
    several stages the stages are among them.

    Args:
        field, solver, x0, c: as in `sample`.
        predictions: the path of the field. Returns (states, data predictions), the
            latter of shape (nfe, batch, *shape): what each evaluation takes the sample
            to be,

                x_1 = (sigma u_i - sigma' x_i) / W,    W = sigma alpha' - alpha sigma'

            at t_i, from the velocity that the solve has computed anyway: previews
            without evaluations of their own. Not finite for an evaluation at t = 1
            itself on a variance-preserving path.

    Raises:
        ValueError: as `sample`.
    """
    if predictions is not None:
        static_schedule("predictions", predictions)
    states, previews = _run(
        as_field(field),
        check_form(solver),
        as_states(x0, c),
        c,
        False,
        True,
        predictions,
    )
    return states if predictions is None else (states, previews)


@partial(jax.jit, static_argnums=(4, 5, 6))
def _run(field, solver, x0, c, checkpoint, keep, path=None):
    dtype = x0.dtype
    rows = Solver(*(jnp.asarray(leaf, dtype) for leaf in solver))
    n, wx, wu = rows.nfe, rows.p.shape[1], rows.q.shape[1]

    def velocity(t, x):
        return evaluate(field, t, x, c)

    if checkpoint:
        velocity = jax.checkpoint(velocity)

    def step(carry, row):
        x, xs, us = carry
        t, a, p, q, (x_slot, u_slot) = row
        u = velocity(t, x)
        # Only entries older than the newest state and velocity need to be stored.
        new = a * x0 + q[0] * u + _combine(q[1:], us)
        if wx:
            new = new + p[0] * x + _combine(p[1:], xs)
        kept = new if keep else None
        preview = None if path is None else endpoints.at(path, t).data(x, u)
        return (new, _store(xs, x_slot, x), _store(us, u_slot, u)), (kept, preview)

    carry = (x0, _memory(wx, x0), _memory(wu, x0))
    slots = tuple(np.arange(n) % max(w - 1, 1) for w in (wx, wu))
    table = (rows.t, rows.a, _by_slot(rows.p), _by_slot(rows.q), slots)
    (x, _, _), (states, previews) = jax.lax.scan(step, carry, table)
    return x if states is None else (jnp.concatenate([x0[None], states]), previews)


# The w - 1 older entries of a window live in a ring: entry j sits in slot
# j mod (w - 1), so that a step overwrites one slot and moves nothing. The
# coefficients are permuted to match, once, outside the loop.


def _memory(width: int, x0: jax.Array) -> jax.Array | None:
    return jnp.zeros((width - 1, *x0.shape), x0.dtype) if width > 1 else None


def _store(ring, slot, value):
    if ring is None:
        return None
    return jax.lax.dynamic_update_index_in_dim(ring, value, slot, 0)


def _by_slot(window: Arr) -> Arr:
    """Columns (lag 0, lag 1, ...) to (lag 0, slot 0, slot 1, ...) row by row."""
    n, width = window.shape
    if width < 3:  # a ring of one slot is in order already
        return window
    lag = (np.arange(n)[:, None] - np.arange(width - 1)[None] - 1) % (width - 1) + 1
    lag = np.concatenate([np.zeros((n, 1), int), lag], axis=1)
    return jnp.take_along_axis(window, lag, axis=1)


def _combine(weights: jax.Array, ring: jax.Array | None) -> jax.Array | float:
    if ring is None:
        return 0.0
    # Multiply and add instead of a dot: accelerators round the inputs of a dot.
    return jnp.sum(jnp.expand_dims(weights, tuple(range(1, ring.ndim))) * ring, axis=0)

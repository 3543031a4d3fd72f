"""Adaptive solves by diffrax as compiled code: one per sample, many at a time.

Every sample has its own steps and its own error norm; `vmap` runs them together. A
sample that has used up its evaluations stops, whatever the others do.
"""

from collections.abc import Callable
from typing import NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Int, PyTree

from bespoke_jax.core.calls import evaluate
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.types import Arr, Conditioning, Scalar

METHODS = {"tsit5": diffrax.Tsit5, "dopri5": diffrax.Dopri5}
PER_STEP, TO_START = 6, 1
"""Evaluations of both pairs: 7 stages, the last shared with the next step."""
_FIRST = 1e-2
"""The first step tried, as a share of the interval. Chosen here because diffrax chooses
by two more evaluations in some versions, and not at all in others (0.7)."""
FIRST_STEP = TO_START + PER_STEP
UNLIMITED = 2**31 - 1

Limit = Int[Arr, ""] | int


class Solved(NamedTuple):
    """A batch of solves, leading axis batch."""

    states: jax.Array
    """(batch, m, *shape) at the times asked for; inf after a failure."""
    accepted: jax.Array
    """(batch, max_steps) times of the accepted steps, inf where there are no more."""
    ok: jax.Array
    """(batch,) whether the end was reached."""
    evaluations: jax.Array
    """(batch,) network evaluations."""


class _Count(NamedTuple):
    inner: PyTree
    evaluations: jax.Array
    jumped: jax.Array
    end: Scalar


class _Counted(diffrax.AbstractStepSizeController):
    """A step-size controller that counts evaluations and stops before `limit`."""

    inner: diffrax.AbstractStepSizeController
    limit: Limit

    def wrap(self, direction):
        return _Counted(self.inner.wrap(direction), self.limit)

    def init(self, terms, t0, t1, y0, dt0, args, func, error_order):
        first, inner = self.inner.init(terms, t0, t1, y0, dt0, args, func, error_order)
        return first, _Count(inner, jnp.asarray(TO_START), jnp.asarray(False), t1)

    def adapt_step_size(self, t0, t1, y0, y1_candidate, args, y_error, error_order,
                        controller_state):  # fmt: skip
        count = controller_state
        keep, next_t0, next_t1, jump, inner, result = self.inner.adapt_step_size(
            t0, t1, y0, y1_candidate, args, y_error, error_order, count.inner
        )
        # After a jump the shared stage has to be evaluated again.
        evaluations = count.evaluations + PER_STEP + count.jumped
        jumped = jnp.where(keep, jump, count.jumped)
        over = evaluations + PER_STEP + jumped > self.limit
        over = over & ~(keep & (next_t0 >= count.end))
        result = diffrax.RESULTS.where(over, diffrax.RESULTS.max_steps_reached, result)
        count = _Count(inner, evaluations, jumped, count.end)
        return keep, next_t0, next_t1, jump, count, result


@eqx.filter_jit
def solve_each(
    field: VelocityField,
    x0: Arr,
    c: Conditioning,
    ts: jax.Array,
    rtol: Scalar,
    atol: Scalar,
    *,
    method: Callable[[], diffrax.AbstractSolver],
    max_steps: int,
    jumps: jax.Array | None = None,
    limit: Limit = UNLIMITED,
) -> Solved:
    """Independent solves from ts[0] to ts[-1], in either direction, one per sample.

    No step crosses one of the times `jumps`; `limit` bounds the evaluations of each
    sample and is at least `FIRST_STEP`.
    """

    def one(x0, c):
        def velocity(t, x, c):
            lift = lambda leaf: leaf[None]
            return evaluate(field, t, lift(x), jax.tree.map(lift, c))[0]

        controller = diffrax.PIDController(rtol=rtol, atol=atol)
        if jumps is not None:
            controller = diffrax.ClipStepSizeController(controller, jump_ts=jumps)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity),
            method(),
            ts[0],
            ts[-1],
            _FIRST * (ts[-1] - ts[0]),
            x0,
            args=c,
            saveat=diffrax.SaveAt(
                subs=[
                    diffrax.SubSaveAt(ts=ts),
                    diffrax.SubSaveAt(steps=True, fn=lambda t, x, c: t),
                ],
                controller_state=True,
            ),
            stepsize_controller=_Counted(controller, limit),
            max_steps=max_steps,
            throw=False,
        )
        assert solution.ys is not None  # SaveAt asks for them
        states, times = solution.ys
        ok = solution.result == diffrax.RESULTS.successful
        count = solution.controller_state
        assert count is not None
        return Solved(states, times, ok, count.evaluations)

    return jax.vmap(one, in_axes=(0, None if c is None else 0))(x0, c)


@eqx.filter_jit
def slopes_at(
    field: VelocityField, times: Arr, states: Arr, c: Conditioning
) -> jax.Array:
    """u(t_k, x_k), (batch, m, *shape), with the memory of one call of the batch."""
    each = lambda knot: evaluate(field, knot[0], knot[1], c)
    return jnp.swapaxes(jax.lax.map(each, (times, jnp.swapaxes(states, 0, 1))), 0, 1)

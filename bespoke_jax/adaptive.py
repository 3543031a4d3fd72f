"""Adaptive solves by diffrax as compiled code: one per sample, many at a time.

Every sample has its own steps and its own error norm; `vmap` runs them together.
"""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.calls import evaluate

METHODS = {"tsit5": diffrax.Tsit5, "dopri5": diffrax.Dopri5}


@eqx.filter_jit
def solve_each(field, x0, c, ts, rtol, atol, method, max_steps):
    """States at ts and the accepted times of independent solves, one per sample."""

    def one(x0, c):
        def velocity(t, x, c):
            lift = lambda leaf: leaf[None]
            return evaluate(field, t, lift(x), jax.tree.map(lift, c))[0]

        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity),
            method(),
            ts[0],
            ts[-1],
            None,
            x0,
            args=c,
            saveat=diffrax.SaveAt(
                subs=[
                    diffrax.SubSaveAt(ts=ts),
                    diffrax.SubSaveAt(steps=True, fn=lambda t, x, c: t),
                ]
            ),
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
            max_steps=max_steps,
            throw=False,
        )
        assert solution.ys is not None  # SaveAt asks for them
        states, times = solution.ys
        ok = solution.result == diffrax.RESULTS.successful
        return states, times, ok, solution.stats["num_steps"]

    return jax.vmap(one, in_axes=(0, None if c is None else 0))(x0, c)


def batch_of(x0, c, start: int, stop: int):
    """Samples start .. stop, the last one repeated where there are no more."""
    index = np.minimum(np.arange(start, stop), x0.shape[0] - 1)
    return x0[index], jax.tree.map(lambda leaf: leaf[index], c)


@eqx.filter_jit
def velocities(field, t, x, c):
    return evaluate(field, t, x, c)


def slopes_at(field, times, states, c, batch_size):
    """u(t_k, x_k) at every knot of every sample, `batch_size` of them at a time."""
    n, k = states.shape[:2]
    rows = states.reshape(n * k, *states.shape[2:])
    times = jnp.tile(jnp.asarray(times, states.dtype), n)
    c = jax.tree.map(lambda leaf: jnp.repeat(leaf, k, axis=0), c)
    out = []
    for start in range(0, n * k, batch_size):
        x, (t, cond) = batch_of(rows, (times, c), start, start + batch_size)
        out.append(velocities(field, t, x, cond))
    return jnp.concatenate(out)[: n * k].reshape(states.shape)

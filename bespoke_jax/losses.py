"""Losses on ground-truth paths: RMSE-bound, LTE and direct RMSE.

With x(t) the exact path, d_i the local and e_n the global truncation error in the RMS
norm, e_n <= sum_i M_i d_i, where M_i = L_i L_{i+1} ... L_{n-1} and M_n = 1 are products
of the steps' Lipschitz constants (equation 25). The bound (26) and LTE (all M_i = 1)
need only one-step maps from exact states, so all n steps are evaluated together.

Every loss is called `loss(family, theta, field, paths)`, and is a mean over paths.

Reference: Shaul et al. (2024), arXiv 2310.19075, section 2.3 and appendix K.1.
"""

from typing import Any

import jax
import jax.numpy as jnp

from bespoke_jax.families import Family, Steps
from bespoke_jax.paths import Paths, at, rms
from bespoke_jax.solver import sample


def rmse_bound(
    family: Family,
    theta: Any,
    field: Any,
    paths: Paths,
    *,
    l_tau: float = 1.0,
    sequential: bool = False,
) -> jax.Array:
    """The RMSE-bound loss E sum_i M_i d_i (equation 26).

    Args:
        family: a family with one-step maps.
        theta: its parameters.
        field: the velocity field.
        paths: ground truth.
        l_tau: L_tau, standing for the Lipschitz constant of the field (the paper: 1).
            The value bounds the RMSE only where it is at least that constant.
        sequential: one step at a time instead of one batched network call, so that
            the peak memory of the gradient does not grow with n.

    Returns:
        () loss.
    """
    steps = family.steps(theta)
    tail = jnp.cumprod(steps.lipschitz(l_tau)[:0:-1])[::-1]  # M_1 .. M_{n-1}
    weights = jnp.append(tail, jnp.ones((), tail.dtype))
    return _step_parallel(steps, weights, field, paths, sequential)


def lte(
    family: Family, theta: Any, field: Any, paths: Paths, *, sequential: bool = False
) -> jax.Array:
    """The sum of local truncation errors E sum_i d_i (appendix K.1).

    Arguments as `rmse_bound`.
    """
    steps = family.steps(theta)
    weights = jnp.ones_like(steps.times[1:])
    return _step_parallel(steps, weights, field, paths, sequential)


def rmse(
    family: Family, theta: Any, field: Any, paths: Paths, *, checkpoint: bool = True
) -> jax.Array:
    """The direct loss E ||x(end) - x_n|| (equation 6), through the whole solve.

    Args:
        family, theta, field, paths: as `rmse_bound`.
        checkpoint: recompute each network evaluation in the backward pass instead of
            keeping its activations.

    Returns:
        () loss.
    """
    x = sample(field, family.build(theta), paths.x0, c=paths.c, checkpoint=checkpoint)
    return jnp.mean(rms(x - paths.x1))


def x_aux(paths: Paths, t: jax.Array) -> jax.Array:
    """x(sg t) + v(sg t) (t - sg t): equation 28.

    Equals the exact path at t in value and in its derivative by t, so gradients reach
    the learned times without going back through the reference solve.

    Args:
        paths: N paths.
        t: (m,) times.

    Returns:
        (m, N, *shape) states.
    """
    fixed = jax.lax.stop_gradient(t)
    x, v = jax.lax.stop_gradient(at(paths, fixed))
    shift = jnp.expand_dims((t - fixed).astype(x.dtype), tuple(range(1, x.ndim)))
    return x + v * shift


def _step_parallel(
    steps: Steps, weights: jax.Array, field: Any, paths: Paths, sequential: bool
) -> jax.Array:
    """E sum_i weights_i d_{i+1}, d_{i+1} = ||x(t_{i+1}) - step(t_i, x(t_i))||."""
    if not sequential:
        exact = x_aux(paths, steps.times)
        errors = _local_errors(steps.rows, field, exact[:-1], exact[1:], paths.c)
        return jnp.sum(weights * jnp.mean(errors, axis=1).astype(weights.dtype))

    @jax.checkpoint
    def one(total, step):
        rows, ends, weight = step
        exact = x_aux(paths, ends)
        rows = jax.tree.map(lambda leaf: leaf[None], rows)
        errors = _local_errors(rows, field, exact[:1], exact[1:], paths.c)
        return total + weight * jnp.mean(errors).astype(weight.dtype), None

    ends = jnp.stack([steps.times[:-1], steps.times[1:]], axis=1)
    zero = jnp.zeros((), weights.dtype)
    return jax.lax.scan(one, zero, (steps.rows, ends, weights))[0]


def _local_errors(rows, field, before, after, c) -> jax.Array:
    """(m, N) errors of m one-step maps on their own N states, in one batched call each.

    rows: stacked solvers with leading axis m; before, after: (m, N, *shape).
    """
    m, size = before.shape[:2]
    dtype = before.dtype
    rows = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), rows)
    tiled = jax.tree.map(lambda leaf: jnp.tile(leaf, (m, *(1,) * (leaf.ndim - 1))), c)
    lift = lambda leaf: jnp.expand_dims(leaf, tuple(range(1, before.ndim)))

    def velocity(t, x):
        t, flat = jnp.repeat(t, size), x.reshape(m * size, *x.shape[2:])
        u = field(t, flat) if c is None else field(t, flat, tiled)
        return jnp.asarray(u, dtype).reshape(x.shape)

    xs, us = [before], []
    for k in range(rows.t.shape[1]):
        us.append(velocity(rows.t[:, k], xs[-1]))
        new = lift(rows.a[:, k]) * before
        for lag in range(min(rows.p.shape[2], k + 1)):
            new = new + lift(rows.p[:, k, lag]) * xs[k - lag]
        for lag in range(min(rows.q.shape[2], k + 1)):
            new = new + lift(rows.q[:, k, lag]) * us[k - lag]
        xs.append(new)
    return jax.vmap(rms)(after - xs[-1])


def loss_name(loss: Any) -> str:
    """A readable name of a loss function, options of a `functools.partial` included."""
    if hasattr(loss, "func"):
        options = ", ".join(f"{k}={v}" for k, v in sorted(loss.keywords.items()))
        return f"{loss.func.__name__}({options})"
    return getattr(loss, "__name__", type(loss).__name__)


__all__ = ["lte", "rmse", "rmse_bound", "x_aux"]

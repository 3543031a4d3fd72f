"""Losses on ground-truth paths: RMSE-bound, LTE, and direct ones (RMSE, MSE, PSNR).

With x(t) the exact path, d_i the local and e_n the global truncation error in the RMS
norm, e_n <= sum_i M_i d_i, where M_i = L_i L_{i+1} ... L_{n-1} and M_n = 1 are products
of the steps' Lipschitz constants (equation 25). The bound (26) and LTE (all M_i = 1)
need only one-step maps from exact states, so all n steps are evaluated together. The
direct losses compare x_n with x(end) after a whole solve, for any family.

Every loss is called `loss(family, theta, field, paths)`, and is a mean over paths
(`psnr` the logarithm of one). The exact states come from the paths' cached interpolant,
or with `online=True`, as in the paper, from a reference solve at the current t_i inside
the loss.

Reference: Shaul et al. (2024), arXiv 2310.19075, section 2.3 and appendix K.1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bespoke_jax.core.calls import as_field, evaluate
from bespoke_jax.core.checks import instance, numbers, real
from bespoke_jax.core.norms import rms
from bespoke_jax.core.rows import advance
from bespoke_jax.core.sample import sample
from bespoke_jax.core.types import Scalar
from bespoke_jax.families import Family, Steps
from bespoke_jax.families.family import check_theta
from bespoke_jax.metrics.lipschitz import Lipschitz, lipschitz
from bespoke_jax.reference import solve_at
from bespoke_jax.reference.paths import Paths, at, check_paths


def rmse_bound(
    family: Family,
    theta: Any,
    field: Any,
    paths: Paths,
    *,
    l_tau: Scalar | Callable[[Any], Any] = 1.0,
    sequential: bool = False,
    online: bool = False,
    tolerance: float = 1e-5,
) -> jax.Array:
    """The RMSE-bound loss E sum_i M_i d_i (equation 26).

    Args:
        family: a family with one-step maps.
        theta: its parameters.
        field: the velocity field.
        paths: ground truth.
        l_tau: L_tau, standing for the Lipschitz constant of the field (the paper: 1),
            or a function of time such as `lipschitz` measures. The loss bounds the RMSE
            only where it is at least that constant.
        sequential: one step at a time instead of one batched network call, so that
            the peak memory of the gradient does not grow with n.
        online: solve for x(t_i) instead of reading the paths between their knots; far
            more network evaluations, no interpolation error. Only x0 of paths is used.
        tolerance: relative and absolute tolerance of the online solve.

    Returns:
        () loss.
    """
    steps = _steps(family, theta, paths)
    tail = jnp.cumprod(steps.lipschitz(l_tau)[:0:-1])[::-1]  # M_1 .. M_{n-1}
    weights = jnp.append(tail, jnp.ones((), tail.dtype))
    truth = _solved(steps, field, paths, tolerance) if online else None
    return _step_parallel(steps, weights, field, paths, sequential, truth)


def lte(
    family: Family,
    theta: Any,
    field: Any,
    paths: Paths,
    *,
    sequential: bool = False,
    online: bool = False,
    tolerance: float = 1e-5,
) -> jax.Array:
    """The sum of local truncation errors E sum_i d_i (appendix K.1).

    Arguments as `rmse_bound`.
    """
    steps = _steps(family, theta, paths)
    weights = jnp.ones_like(steps.times[1:])
    truth = _solved(steps, field, paths, tolerance) if online else None
    return _step_parallel(steps, weights, field, paths, sequential, truth)


def rmse(
    family: Family, theta: Any, field: Any, paths: Paths, *, checkpoint: bool = True
) -> jax.Array:
    """The direct loss E ||x(end) - x_n|| (equation 6), through the whole solve.

    A mean of norms, in which single bad paths weigh less than in `mse`.

    Args:
        family, theta, field, paths: as `rmse_bound`.
        checkpoint: recompute each network evaluation in the backward pass instead of
            keeping its activations.

    Returns:
        () loss.
    """
    return jnp.mean(rms(_end_errors(family, theta, field, paths, checkpoint)))


def mse(
    family: Family, theta: Any, field: Any, paths: Paths, *, checkpoint: bool = True
) -> jax.Array:
    """The mean square error E ||x(end) - x_n||^2, through the whole solve.

    Arguments as `rmse`.
    """
    error = _end_errors(family, theta, field, paths, checkpoint)
    return jnp.mean(jnp.square(error))


def psnr(
    family: Family, theta: Any, field: Any, paths: Paths, *, checkpoint: bool = True
) -> jax.Array:
    """10 log10 of the mean square error: 20 log10(range of the data) minus the PSNR.

    Its gradient is that of `mse` relative to the error itself, so that it does not fade
    as the fit improves. The mean over the batch is inside the logarithm; the paper
    averages the logarithm of each path's error, and in few dimensions that mean is
    ruled by the paths whose error happens to be tiny. -inf where the solver is exact.

    Arguments as `rmse`. Shaul et al. (2024), arXiv 2403.01329, equation 13, minimised.
    """
    return 10 * jnp.log10(mse(family, theta, field, paths, checkpoint=checkpoint))


def _steps(family: Family, theta: Any, paths: Paths) -> Steps:
    check_theta(family, theta)
    check_paths(paths)
    return family.steps(theta)


def _end_errors(
    family: Family, theta: Any, field: Any, paths: Paths, checkpoint: bool
) -> jax.Array:
    """(N, *shape) x_n - x(end)."""
    check_theta(family, theta)
    check_paths(paths)
    x = sample(field, family.build(theta), paths.x0, c=paths.c, checkpoint=checkpoint)
    return x - paths.x1


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
    t = jnp.asarray(numbers("t", t))
    if t.ndim != 1:
        raise ValueError(f"t must be (m,) times; got shape {t.shape}.")
    return _expand(t, *at(paths, jax.lax.stop_gradient(t)))


def _expand(t: jax.Array, x: jax.Array, v: jax.Array) -> jax.Array:
    """x + v (t - sg t) with nothing but t differentiated."""
    x, v = jax.lax.stop_gradient((x, v))
    shift = (t - jax.lax.stop_gradient(t)).astype(x.dtype)
    return x + v * jnp.expand_dims(shift, tuple(range(1, x.ndim)))


def _solved(steps: Steps, field: Any, paths: Paths, tolerance: float):
    """(n + 1, N, *shape) states and velocities at t_0 .. t_n by a reference solve."""
    tolerance = real("tolerance", tolerance, above=0)
    times, field = jax.lax.stop_gradient((steps.times, as_field(field)))
    return solve_at(field, paths, times, rtol=tolerance, atol=tolerance)


def _step_parallel(
    steps: Steps, weights: jax.Array, field: Any, paths: Paths, sequential: bool, truth
) -> jax.Array:
    """E sum_i weights_i d_{i+1}, d_{i+1} = ||x(t_{i+1}) - step(t_i, x(t_i))||.

    truth: states and velocities at the times, or None to read them from the paths.
    """
    exact_at = lambda t, xv: x_aux(paths, t) if xv is None else _expand(t, *xv)
    if not sequential:
        exact = exact_at(steps.times, truth)
        errors = _local_errors(steps.rows, field, exact[:-1], exact[1:], paths.c)
        return jnp.sum(weights * jnp.mean(errors, axis=1).astype(weights.dtype))

    @jax.checkpoint
    def one(total, step):
        rows, ends, xv, weight = step
        exact = exact_at(ends, xv)
        rows = jax.tree.map(lambda leaf: leaf[None], rows)
        errors = _local_errors(rows, field, exact[:1], exact[1:], paths.c)
        return total + weight * jnp.mean(errors).astype(weight.dtype), None

    pairs = lambda leaf: jnp.stack([leaf[:-1], leaf[1:]], axis=1)
    ends, xv = jax.tree.map(pairs, (steps.times, truth))
    zero = jnp.zeros((), weights.dtype)
    return jax.lax.scan(one, zero, (steps.rows, ends, xv, weights))[0]


def _local_errors(rows, field, before, after, c) -> jax.Array:
    """(m, N) errors of m one-step maps on their own N states, in one batched call each.

    rows: stacked solvers with leading axis m; before, after: (m, N, *shape).
    """
    m, size = before.shape[:2]
    dtype = before.dtype
    rows = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), rows)
    repeated = jax.tree.map(lambda leaf: jnp.repeat(leaf, m, axis=0), c)

    def velocity(t, x):
        # Samples outermost: where they are sharded over devices, the batch is too.
        x = jnp.swapaxes(x, 0, 1)
        flat = x.reshape(size * m, *x.shape[2:])
        u = evaluate(field, jnp.tile(t, size), flat, repeated)
        return jnp.swapaxes(u.reshape(x.shape), 0, 1)

    xs, us = [before], []
    for k in range(rows.t.shape[1]):
        us.append(velocity(rows.t[:, k], xs[-1]))
        row = (rows.a[:, k], rows.p[:, k], rows.q[:, k])
        xs.append(advance(*row, before, xs, us))
    return jax.vmap(rms)(after - xs[-1])


class Tightness(NamedTuple):
    """How far the bound of equation 26 lies above the RMSE it bounds: their ratios."""

    rmse: jax.Array
    """() direct RMSE, the denominator."""
    paper: jax.Array
    """() at L_tau = 1; below 1 it is no bound."""
    constant: jax.Array
    """() at L_tau = the largest measured norm."""
    along: jax.Array
    """() at L_tau(t) = the measured norm at that time."""


def tightness(
    family: Family, theta: Any, field: Any, paths: Paths, *, measured: Lipschitz
) -> Tightness:
    """L_bes / L_RMSE at the paper's L_tau = 1 and at a measured one (equation 27).

    Args:
        family, theta, field, paths: as `rmse_bound`.
        measured: from `lipschitz`, on the same field.
    """
    instance("measured", measured, Lipschitz, "what losses.lipschitz returns")
    direct = rmse(family, theta, field, paths)
    ratio = lambda l_tau: rmse_bound(family, theta, field, paths, l_tau=l_tau) / direct
    return Tightness(direct, ratio(1.0), ratio(measured.largest), ratio(measured))


def loss_name(loss: Any) -> str:
    """A readable name of a loss function, options of a `functools.partial` included."""
    if hasattr(loss, "func"):
        options = ", ".join(f"{k}={v}" for k, v in sorted(loss.keywords.items()))
        return f"{loss.func.__name__}({options})"
    return getattr(loss, "__name__", type(loss).__name__)


__all__ = [
    "Lipschitz",
    "Tightness",
    "lipschitz",
    "lte",
    "mse",
    "psnr",
    "rmse",
    "rmse_bound",
    "tightness",
    "x_aux",
]

"""Levenberg-Marquardt on a solver's numbers, for robust losses of the end-point errors.

With r_i = x_n(theta) - x(end) the residual of sample i, J_i its derivative by theta and
e_i the RMS of r_i, the loss is

    F_c = mean_i rho_c(e_i),    rho_c(e) = c log(1 + e / c),    rho_inf(e) = e,

whose iteratively re-weighted least squares has weights rho_c'(e_i) / e_i = 1 / (e_i
(1 + e_i / c)). At c = inf it is the direct RMSE loss; a smaller c counts relative
errors, so that the few samples near a boundary between modes, whose error no solver of
so few steps removes, do not rule the fit. One step solves

    (H + lambda diag H) delta = -sum_i w_i J_i^T r_i,     H = sum_i w_i J_i^T J_i.

J_i has as many rows as a sample has numbers, and each costs one reverse pass. Of the
rows in an orthonormal basis that begins with r_i / |r_i| the first gives the gradient
exactly; of the others a few random ones give H without bias: J^T J = E of (D - 1) times
the square of a random row, besides the first. All D rows are taken where they are not
more than `probes`, and H is exact then.

Networks are evaluated once per row of (S), forward, and each probe costs one reverse
pass (2 forward ones): n (1 + 2 probes) evaluations per sample and step.

References: Levenberg (1944); Marquardt (1963); Holland and Welsch (1977), iteratively
reweighted least squares.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bespoke_jax.core.batches import batches
from bespoke_jax.core.calls import as_field
from bespoke_jax.core.checks import whole
from bespoke_jax.core.norms import rms
from bespoke_jax.core.sample import sample
from bespoke_jax.core.solver import Solver
from bespoke_jax.families import Family
from bespoke_jax.reference.paths import Paths

# Samples in one call where the caller does not say: many of small samples.
_BATCH, _NUMBERS = 64, 8192


class Step(NamedTuple):
    """Where one iteration ended."""

    theta: Any
    loss: float
    """F_c on the training paths."""
    damping: float
    """lambda for the next iteration."""
    evaluations: int
    """Network evaluations spent: forward 1, each probe 2 more."""
    errors: np.ndarray
    """(N,) per-sample errors at theta."""


def robust(errors: Any, c: float) -> np.ndarray:
    """rho_c of per-sample errors; c = inf gives the errors themselves."""
    e = np.asarray(errors, np.float64)
    return e if math.isinf(c) else c * np.log1p(e / c)


def errors(
    family: Family,
    theta: Any,
    field: Any,
    paths: Paths,
    *,
    batch_size: int | None = None,
) -> np.ndarray:
    """Per-sample RMS end-point errors e_i, (N,) float64; inf where a solve diverged."""
    field, solver = as_field(field), _solver(family, theta)
    e = _in_batches(lambda part, _: _errors(field, solver, *part), paths, batch_size)
    return np.where(np.isfinite(e), e, np.inf)


def cost(nfe: int, paths: int, probes: int, tries: int) -> int:
    """Network evaluations that a step spends at most."""
    return nfe * paths * (1 + 2 * probes + tries)


def step(
    family: Family,
    theta: Any,
    field: Any,
    paths: Paths,
    *,
    key: jax.Array,
    c: float = math.inf,
    damping: float = 1e-2,
    probes: int = 3,
    tries: int = 6,
    before: np.ndarray | None = None,
    batch_size: int | None = None,
) -> Step:
    """One Levenberg-Marquardt step; theta stays if no damping tried lowers the loss.

    Args:
        family, theta, field, paths: as a loss takes them; all paths are used.
        key: source of the random probes.
        c: scale of the robust loss, in the data's units.
        damping: first lambda to try; each failure multiplies it by 4.
        probes: reverse passes per sample, at least 2 (or 1 for one-number samples).
        tries: lambdas to try.
        before: the errors at theta, if known.
        batch_size: samples in one call, which bounds memory; None is 64, or more of
            samples of few numbers.

    Raises:
        ValueError: too few probes, no try, or a theta whose errors are not finite.
    """
    check_probes(probes, paths)
    if tries < 1:
        raise ValueError(f"tries must be at least 1; got {tries}.")
    measure = partial(errors, family, field=field, paths=paths, batch_size=batch_size)
    before = measure(theta) if before is None else before
    loss = float(np.mean(robust(before, c)))
    if not math.isfinite(loss):
        raise ValueError("the solver to improve diverges on some of the paths.")
    probes = min(probes, paths.x0[0].size)
    flat, unravel = ravel_pytree(theta)
    gradient, H = _normal_equations(
        family, theta, as_field(field), paths, before, key, c, probes, batch_size
    )
    diagonal = np.diag(H) + 1e-12 * np.trace(H) + 1e-300
    solves = _solver(family, theta).nfe * paths.size
    spent = solves * (1 + 2 * probes)
    for _ in range(tries):
        delta = np.linalg.solve(H + np.diag(damping * diagonal), -gradient)
        moved = unravel(flat + jnp.asarray(delta, flat.dtype))
        after = measure(moved)
        spent += solves
        new = float(np.mean(robust(after, c)))
        if new < loss:
            return Step(moved, new, max(damping / 4, 1e-9), spent, after)
        damping *= 4
    return Step(theta, loss, damping, spent, before)


def check_probes(probes: int, paths: Paths) -> None:
    """ValueError unless there are probes enough to see the curvature."""
    least = min(2, paths.x0[0].size)
    whole("probes", probes, least=least)


def _normal_equations(family, theta, field, paths, before, key, c, probes, batch_size):
    """(sum_i w_i J_i^T r_i, H) in float64, by the probed rows of every sample."""
    solver = _solver(family, theta)
    to_theta = np.asarray(_build_jacobian(family, theta), np.float64)

    def pulled(part, number):
        draw = jax.random.fold_in(key, number)
        norm, rows = _rows(probes, field, solver, *part, draw)
        return np.asarray(norm, np.float64), np.asarray(rows, np.float64) @ to_theta

    norm, J = _in_batches(pulled, paths, batch_size)  # (N,), (N, probes, p)
    good = np.isfinite(J).all((1, 2))
    e = np.maximum(before, 1e-3 * np.median(before))
    weight = np.where(good, 1 / (e * (1 + e / c)), 0.0)
    J = np.where(good[:, None, None], J, 0.0)
    norm = np.where(good, norm, 0.0)
    share = (paths.x0[0].size - 1) / max(probes - 1, 1)
    scale = np.append(1.0, np.full(probes - 1, share))
    gradient = np.einsum("i,i,ip->p", weight, norm, J[:, 0])
    weighted = (J * np.sqrt(weight[:, None] * scale)[..., None]).reshape(-1, J.shape[2])
    return gradient, weighted.T @ weighted


def _in_batches(
    f: Callable[[tuple, int], Any], paths: Paths, batch_size: int | None
) -> Any:
    """f((x0, x1, c), number) on batches of one size, the last filled up and cut."""
    most = batch_size or max(_BATCH, _NUMBERS // paths.x0[0].size)
    # As equal as can be, so that little is computed to fill the last one up.
    size = math.ceil(paths.size / math.ceil(paths.size / most))
    data = (paths.x0, paths.x1, paths.c)
    parts = [f(part, number) for number, (_, _, part) in enumerate(batches(data, size))]
    join = lambda *leaves: np.concatenate(leaves).astype(np.float64)[: paths.size]
    return jax.tree.map(join, *parts)


@partial(jax.jit, static_argnums=0)
def _solver(family: Family, theta: Any) -> Solver:
    return family.build(theta)


@jax.jit
def _errors(field, solver, x0, x1, c):
    x = sample(field, solver, x0, c=c)
    return rms(x - x1)


@partial(jax.jit, static_argnums=0)
def _rows(probes, field, solver, x0, x1, c, key):
    """|r_i| (N,) and the probed rows of dx_n / d(solver's numbers), (N, probes, m)."""
    dtype = x0.dtype
    solver = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), solver)

    def one(args):
        x0, x1, c, key = args
        lift = lambda leaf: leaf[None]
        run = lambda s: sample(field, s, x0[None], c=jax.tree.map(lift, c))[0]
        x, pull = jax.vjp(run, solver)
        r = (x - x1).ravel()
        random = jax.random.normal(key, (r.size, probes - 1), dtype)
        norm = jnp.sqrt(jnp.sum(r**2))
        # A sample without error has no direction of its own: any will do.
        ahead = jnp.where(norm > 0, r, jnp.ones_like(r))[:, None]
        basis, _ = jnp.linalg.qr(jnp.concatenate([ahead, random], axis=1))
        # QR is free in the sign: the first column must point along r.
        basis = basis.at[:, 0].multiply(jnp.where(basis[:, 0] @ r < 0, -1.0, 1.0))
        pulled = jax.vmap(lambda v: pull(v.reshape(x.shape))[0])(basis.T)
        flat = lambda leaf: leaf.reshape(probes, math.prod(leaf.shape[1:]))
        leaves = [flat(leaf) for leaf in jax.tree.leaves(pulled)]
        return norm, jnp.concatenate(leaves, axis=1)

    return jax.vmap(one)((x0, x1, c, jax.random.split(key, x0.shape[0])))


@partial(jax.jit, static_argnums=0)
def _build_jacobian(family: Family, theta: Any) -> jax.Array:
    """d(solver's numbers, in the order of `_rows`) / d theta, (m, p)."""
    flat, unravel = ravel_pytree(theta)
    numbers = lambda flat: jnp.concatenate(
        [jnp.ravel(leaf) for leaf in jax.tree.leaves(family.build(unravel(flat)))]
    )
    return jax.jacfwd(numbers)(flat)

"""Gauss-Newton on a solver's numbers, for robust losses of the end-point errors.

With r_i = x_n(theta) - x(end) the residual of sample i, J_i its derivative by theta and
e_i the RMS of r_i, the loss is

    F_c = mean_i rho_c(e_i),    rho_c(e) = c log(1 + e / c),    rho_inf(e) = e,

whose iteratively re-weighted least squares has weights rho_c'(e_i) / e_i = 1 / (e_i
(1 + e_i / c)). At c = inf it is the direct RMSE loss; a smaller c counts relative
errors, so that the few samples near a boundary between modes, whose error no solver of
so few steps removes, do not rule the fit. Its Gauss-Newton model has

    gradient sum_i w_i J_i^T r_i,     curvature H = sum_i w_i J_i^T J_i.

J_i has as many rows as a sample has numbers, and each costs one reverse pass. Of the
rows in an orthonormal basis that begins with r_i / |r_i| the first gives the gradient
exactly; of the others a few random ones give H without bias: J^T J = E of (D - 1) times
the square of a random row, besides the first. All D rows are taken where they are not
more than `probes`, and H is exact then.

With a condition w_i per sample, theta_i = sum_k phi_k(w_i) Theta_k (`conditions`), and
J_i(Theta) is the Kronecker product of phi(w_i) with J_i(theta_i).

Reference: Holland and Welsch (1977), iteratively reweighted least squares.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bespoke_jax.core.batches import batches
from bespoke_jax.core.calls import as_field
from bespoke_jax.core.checks import whole
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import rms
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.types import Conditioning, Theta
from bespoke_jax.families import Family
from bespoke_jax.fitting import adjoint
from bespoke_jax.fitting.data import Data
from bespoke_jax.reference.paths import Paths

# Samples in one call where the caller does not say: many of small samples.
_BATCH, _NUMBERS = 64, 8192
_FLAT = 1e-3
"""Errors below this share of the median have its weight."""


class Point(NamedTuple):
    """A theta, its errors, and the solves that gave them."""

    theta: Theta
    errors: np.ndarray
    """(N,) per-sample errors; inf where a solve diverged."""
    runs: tuple[adjoint.Run, ...] = ()
    """The solves of the batches; none where the errors were read from a file."""


def robust(errors: np.ndarray, c: float) -> np.ndarray:
    """rho_c of per-sample errors; c = inf gives the errors themselves."""
    e = np.asarray(errors, np.float64)
    return e if math.isinf(c) else c * np.log1p(e / c)


def errors(
    family: Family,
    theta: Theta,
    field: VelocityField,
    data: Data,
    *,
    batch_size: int | None = None,
) -> np.ndarray:
    """Per-sample RMS end-point errors e_i, (N,) float64; inf where a solve diverged."""
    return solved(family, theta, field, data, batch_size=batch_size, keep=False).errors


def solved(
    family: Family,
    theta: Theta,
    field: VelocityField,
    data: Data,
    *,
    batch_size: int | None = None,
    keep: bool = True,
) -> Point:
    """The errors at theta and, if they are to be kept, the solves behind them.

    Args:
        family, theta, field: as a loss takes them. Where the data have conditions, the
            leaves of theta have a leading axis K.
        data: all paths are used.
        batch_size: samples in one call, which bounds memory; None is 64, or more of
            samples of few numbers.
        keep: keep states and velocities of all samples, for `step`.
    """
    field, runs, found = as_field(field), [], []
    for (x0, x1, c, phi), many in _batches(data, batch_size):
        run = adjoint.run(field, _tables(family, theta, phi, len(x0)), x0, c)
        e = to_host(_errors(run.states[-1], x1))[:many].astype(np.float64)
        found.append(np.where(np.isfinite(e), e, np.inf))
        runs += [run] * keep
    return Point(theta, np.concatenate(found), tuple(runs))


def cost(nfe: int, paths: int, probes: int, tries: int) -> int:
    """Network evaluations that a step from a known point spends at most."""
    return paths * ((nfe - 1) * (1 + 2 * probes) + nfe * tries)


def check_probes(probes: int, paths: Paths) -> None:
    """ValueError unless there are probes enough to see the curvature."""
    least = min(2, paths.x0[0].size)
    whole("probes", probes, least=least)


def normal_equations(
    family: Family,
    point: Point,
    field: VelocityField,
    data: Data,
    *,
    key: jax.Array,
    c: float = math.inf,
    probes: int = 3,
    batch_size: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of sum_i rho_c(e_i) d and its curvature, both in float64.

        sum_i w_i J_i^T r_i (p,),    H = sum_i w_i J_i^T J_i (p, p)

    Costs n - 1 evaluations per sample forward, and as many reverse passes per probe.

    Args:
        family, field, data, batch_size: as for `solved`.
        point: where, with its solves; they are made again if it has none.
        key: source of the random probes.
        c: scale of the robust loss, in the data's units.
        probes: reverse passes per sample.
    """
    field, probes = as_field(field), min(probes, data.numbers)
    if not point.runs:  # of a run that was interrupted, which has paid for them
        point = solved(family, point.theta, field, data, batch_size=batch_size)
    weights, numbers = _weights(point.errors, c), data.numbers
    # The first row is along the residual; the others stand for all other directions.
    scale = np.append(1.0, np.full(probes - 1, (numbers - 1) / max(probes - 1, 1)))
    gradient, H, done = 0.0, 0.0, 0
    parts = _batches(data, batch_size)
    for number, ((_, x1, given, phi), many) in enumerate(parts):
        run = point.runs[number]
        draw = jax.random.fold_in(key, number)
        norm, v = _probes(run.states[-1], x1, draw, probes)
        pulled = adjoint.pull(field, run, given, v)
        J = to_host(_by_theta(family, point.theta, phi, pulled))[:many]
        J = J.astype(np.float64)
        w = np.where(np.isfinite(J).all((1, 2)), weights[done : done + many], 0.0)
        J = np.where(w[:, None, None] > 0, J, 0.0)
        norm = np.where(w > 0, to_host(norm)[:many].astype(np.float64), 0.0)
        gradient = gradient + np.einsum("i,i,ip->p", w, norm, J[:, 0])
        rooted = (J * np.sqrt(w[:, None] * scale)[..., None]).reshape(-1, J.shape[2])
        H = H + rooted.T @ rooted
        done += many
    return np.asarray(gradient), np.asarray(H)


def _weights(errors: np.ndarray, c: float) -> np.ndarray:
    """rho_c'(e) / e; 0 where a solve diverged."""
    finite = np.isfinite(errors)
    e = np.where(finite, errors, 1.0)
    e = np.maximum(e, _FLAT * np.median(e[finite])) if finite.any() else e
    return np.where(finite, 1 / (e * (1 + e / c)), 0.0)


def _batches(
    data: Data, batch_size: int | None
) -> Iterator[tuple[tuple[jax.Array, jax.Array, Conditioning, jax.Array | None], int]]:
    """((x0, x1, c, phi), samples in it) of batches of one size, the last filled up."""
    paths = data.paths
    most = batch_size or max(_BATCH, _NUMBERS // data.numbers)
    # As equal as can be, so that little is computed to fill the last one up.
    size = math.ceil(paths.size / math.ceil(paths.size / most))
    phi = None if data.phi is None else jnp.asarray(data.phi, paths.x0.dtype)
    each = (paths.x0, paths.x1, paths.c, phi)
    for start, stop, part in batches(each, size, data.like):
        yield part, stop - start


def _tables(
    family: Family, theta: Theta, phi: jax.Array | None, size: int
) -> adjoint.Table:
    """The solver of each sample, (size, ...)."""
    made = adjoint.Table(*to_host(_table(family, theta, phi)))
    if phi is not None:
        return made
    spread = lambda leaf: np.broadcast_to(leaf, (size, *leaf.shape))
    return adjoint.Table(*map(spread, made))


@partial(jax.jit, static_argnums=0)
def _table(family, theta, phi):
    make = lambda phi: adjoint.table(family.build(_mixed(theta, phi)))
    return make(None) if phi is None else jax.vmap(make)(phi)


@partial(jax.jit, static_argnums=0)
def _by_theta(family, theta, phi, pulled):
    """Derivatives of the probed rows by theta, (N, K, p)."""

    def one(phi, pulled):
        make = lambda theta: adjoint.table(family.build(_mixed(theta, phi)))
        made, back = jax.vjp(make, theta)
        cast = lambda leaf, like: leaf.astype(like.dtype)
        like = adjoint.Table(*made)
        row = lambda p: back(jax.tree.map(cast, adjoint.Table(*p), like))[0]
        return jax.vmap(lambda p: ravel_pytree(row(p))[0])(pulled)

    return jax.vmap(one, in_axes=(None if phi is None else 0, 0))(phi, pulled)


def _mixed(theta, phi):
    """sum_k phi_k Theta_k."""
    if phi is None:
        return theta
    return jax.tree.map(lambda leaf: jnp.tensordot(phi, leaf, axes=1), theta)


@jax.jit
def _errors(x, x1):
    return rms(x - x1)


@partial(jax.jit, static_argnums=3)
def _probes(x, x1, key, probes):
    """|r_i| (N,) and orthonormal rows that begin with r_i / |r_i|, (N, K, *shape)."""
    r = (x - x1).reshape(len(x), -1)
    random = jax.random.normal(key, (*r.shape, probes - 1), r.dtype)
    norm = jnp.sqrt(jnp.sum(r**2, axis=1))
    # A sample without error has no direction of its own: any will do.
    ahead = jnp.where(norm[:, None] > 0, r, jnp.ones_like(r))[..., None]
    basis, _ = jnp.linalg.qr(jnp.concatenate([ahead, random], axis=2))
    # QR is free in the sign: the first column must point along r.
    along = jnp.einsum("nd,nd->n", basis[..., 0], r)
    basis = basis.at[..., 0].multiply(jnp.where(along < 0, -1.0, 1.0)[:, None])
    return norm, jnp.swapaxes(basis, 1, 2).reshape(len(x), probes, *x.shape[1:])

"""Solves and their derivatives, one network evaluation at a time.

In canonical form a solve is x_{i+1} = a_i x_0 + sum_{j <= i} b_ij u_j, u_j = u(t_j,
x_j). With w_i the derivative of a number v . x_n by the state x_i, and g_j that by the
velocity u_j,

    w_n = v,    g_j = sum_{i >= j} b_ij w_{i+1},    w_j = (du / dx)^T g_j,

the derivatives by the numbers of the solver are inner products per sample,

    by a_i: w_{i+1} . x_0,    by b_ij: w_{i+1} . u_j,    by t_j: g_j . du / dt.

Programs are compiled for one evaluation, whatever the length of the solve, and memory
is that of one evaluation and of the states of one batch. Each sample may have a solver
of its own: tables carry a leading axis of samples.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.calls import evaluate, velocity
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.rows import advance
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Arr, Conditioning


class Table(NamedTuple):
    """A solver of each sample in canonical form."""

    t: Arr
    """(N, n) evaluation times."""
    a: Arr
    """(N, n) weights of x_0."""
    b: Arr
    """(N, n, n) weights of u_0 .. u_{n-1}, lower-triangular."""

    @property
    def nfe(self) -> int:
        """Network evaluations of one solve."""
        return self.t.shape[-1]


class Run(NamedTuple):
    """A solve of a batch."""

    table: Table
    states: tuple[jax.Array, ...]
    """x_0 .. x_n, each (N, *shape)."""
    velocities: tuple[jax.Array, ...]
    """u_0 .. u_{n-1}, each (N, *shape)."""


class Pulled(NamedTuple):
    """Derivatives of K numbers v_k . x_n of each sample, by its solver's table."""

    t: np.ndarray
    """(N, K, n); 0 for t_0, which is fixed."""
    a: np.ndarray
    """(N, K, n)."""
    b: np.ndarray
    """(N, K, n, n)."""


def table(solver: Solver) -> Table:
    """The canonical form of a solver, without the axis of samples; differentiable."""
    n = solver.nfe
    if not solver.p.shape[1] and solver.q.shape[1] == n:  # it is in it already
        lag = np.subtract.outer(np.arange(n), np.arange(n))
        b = jnp.take_along_axis(solver.q, np.maximum(lag, 0), axis=1)
        return Table(solver.t, solver.a, jnp.where(lag >= 0, b, 0.0))
    x0, *us = jnp.eye(n + 1, dtype=solver.a.dtype)
    states = [x0]
    for i in range(n):
        a, p, q = solver.a[i], solver.p[i], solver.q[i]
        states.append(advance(a, p, q, x0, states, us[: i + 1]))
    form = jnp.stack(states[1:])
    return Table(jnp.asarray(solver.t), form[:, 0], form[:, 1:])


def run(field: VelocityField, table: Table, x0: Arr, c: Conditioning) -> Run:
    """Solve from x0 (N, *shape), which costs n evaluations per sample."""
    # On the host, where taking a row compiles nothing.
    table = Table(*to_host(tuple(table)))
    states = [jnp.asarray(x0)]
    # Velocities to come have no weight: with them, one program serves all rows.
    us = [jnp.zeros_like(states[0])] * table.nfe
    for i in range(table.nfe):
        us[i] = velocity(field, table.t[:, i], states[-1], c)
        states.append(_advanced(table.a[:, i], table.b[:, i], states[0], tuple(us)))
    return Run(table, tuple(states), tuple(us))


def pull(field: VelocityField, run: Run, c: Conditioning, v: jax.Array) -> Pulled:
    """Derivatives of the numbers v_k . x_n, v (N, K, *shape).

    Costs n - 1 evaluations per sample forward, and as many reverse passes for each k.
    """
    (t, _, b), n = run.table, run.table.nfe
    x0, us = run.states[0], run.velocities
    w = v.astype(x0.dtype)
    g = tuple(jnp.zeros_like(w) for _ in us)
    size = (*w.shape[:2], n)
    by_t, by_a, by_b = np.zeros(size), np.zeros(size), np.zeros((*size, n))
    for i in reversed(range(n)):
        on_x0, on_u, g = _row_back(w, x0, us, g, b[:, i])
        by_a[:, :, i], on_u = to_host((on_x0, on_u))
        by_b[:, :, i, : i + 1] = on_u[:, :, : i + 1]
        if i:  # neither x_0 nor t_0 moves
            on_t, w = _field_back(field, t[:, i], run.states[i], c, g[i])
            by_t[:, :, i] = to_host(on_t)
    return Pulled(by_t, by_a, by_b)


@jax.jit
def _advanced(a, b, x0, us):
    """The next state; columns of b are u_0 .., and (S) counts back from the last."""
    empty = jnp.zeros((len(a), 0), a.dtype)
    return advance(a, empty, b[:, ::-1], x0, [us[-1]], us).astype(x0.dtype)


@jax.jit
def _row_back(w, x0, us, g, b):
    """(w . x_0, w . u_j, g_j + b_j w) of one row."""
    flat = lambda x: x.reshape(len(x), -1)
    rows = w.reshape(*w.shape[:2], -1)
    on = lambda x: jnp.einsum("nkd,nd->nk", rows, flat(x), precision="highest")
    on_u = jnp.stack([on(u) for u in us], axis=2)
    # In the precision of the states, whatever that of the solver.
    lift = lambda weight: weight[(..., *(None,) * (w.ndim - 1))].astype(w.dtype)
    g = tuple(one + lift(b[:, j]) * w for j, one in enumerate(g))
    return on(x0), on_u, g


@jax.jit
def _field_back(field, t, x, c, g):
    """g_k . du / dt (N, K) and (du / dx)^T g_k (N, K, *shape) of one evaluation."""
    _, back = jax.vjp(lambda t, x: evaluate(field, t, x, c), t, x)
    return jax.vmap(back, in_axes=1, out_axes=1)(g)

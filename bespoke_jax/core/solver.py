"""A solver is data: the rows of equation (S).

With u_i = u(t_i, x_i), every fixed-budget sampler that is linear in the states and
velocities it has seen reads

    x_{i+1} = a_i x_0 + sum_{k < wx} p_ik x_{i-k} + sum_{k < wu} q_ik u_{i-k},   (S)

i = 0 .. nfe-1, and the sample is x_nfe. One row costs one network evaluation (NFE);
Runge-Kutta stages are rows too. The windows wx and wu are the method's memory.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from bespoke_jax.core.checks import numbers, shown
from bespoke_jax.core.rows import advance

if TYPE_CHECKING:  # reading a card does not import JAX
    from bespoke_jax.core.types import Arr


class Solver(NamedTuple):
    """The coefficients of (S), latest state and velocity first.

    A pytree of numbers: it can be jitted over, differentiated, stacked and vmapped.
    """

    t: "Float[Arr, ' n']"
    """(n,) evaluation times in [0, end]."""
    a: "Float[Arr, ' n']"
    """(n,) weight of the initial state x_0."""
    p: "Float[Arr, 'n wx']"
    """(n, wx) weights of x_i, x_{i-1}, ...; 0 where they would reach before x_0."""
    q: "Float[Arr, 'n wu']"
    """(n, wu) weights of u_i, u_{i-1}, ...; 0 where they would reach before u_0."""
    end: "Float[Arr | np.floating, '']"
    """() time of the sample x_n, in (0, 1]."""

    @property
    def nfe(self) -> int:
        """Network evaluations of one solve: the number of rows."""
        return self.t.shape[-1]


def check_form(solver: object) -> Solver:
    """The structural half of `validate`, which also holds for traced values."""
    if not isinstance(solver, Solver):
        raise ValueError(f"expected a Solver; got {shown(solver)}.")
    for name, leaf in zip(Solver._fields, solver, strict=True):
        numbers(f"solver.{name}", leaf)
    shapes = Solver._make(np.shape(leaf) for leaf in solver)
    n = shapes.t[0] if len(shapes.t) == 1 else 0
    ok = (
        n > 0
        and shapes.a == (n,)
        and len(shapes.p) == 2
        and shapes.p[0] == n
        and len(shapes.q) == 2
        and shapes.q[0] == n
        and shapes.q[1] > 0
        and shapes.end == ()
    )
    if not ok:
        raise ValueError(
            "a Solver needs t (n,), a (n,), p (n, wx), q (n, wu) with n, wu >= 1, and "
            f"a scalar end; got t {shapes.t}, a {shapes.a}, p {shapes.p}, "
            f"q {shapes.q}, end {shapes.end}. Stacks of solvers go through jax.vmap."
        )
    return solver


def validate(solver: Solver) -> Solver:
    """Check every number of a solver and return it.

    Checks shapes, finiteness, 0 <= t_i <= end, 0 < end <= 1, and that no row reaches
    back before x_0 or u_0. For concrete values; `sample` itself checks shapes only.

    Raises:
        ValueError: states the first problem found and how to fix it.
    """
    check_form(solver)
    t, a, p, q, end = (np.asarray(leaf, np.float64) for leaf in solver)
    for name, values in zip(Solver._fields, (t, a, p, q, end), strict=True):
        if not np.isfinite(values).all():
            where = np.argwhere(~np.isfinite(values))[0].tolist()
            raise ValueError(f"solver.{name} must be finite; entry {where} is not.")
    if not 0 < end <= 1:
        raise ValueError(f"solver.end must lie in (0, 1]; got {end}.")
    if t.min() < 0 or t.max() > end:
        raise ValueError(
            f"solver.t must lie in [0, end = {end}]; got {t.min()} to {t.max()}."
        )
    for name, window in (("p", p), ("q", q)):
        reach = np.tril(np.ones_like(window, bool))  # row i has seen entries 0 .. i
        if np.any(window[~reach]):
            row = int(np.argwhere(np.where(reach, 0.0, window))[0, 0])
            raise ValueError(
                f"solver.{name} row {row} has a weight on an entry before the start; "
                f"only its first {row + 1} columns can be non-zero."
            )
    return solver


def canonical(solver: Solver) -> tuple[np.ndarray, np.ndarray]:
    """The unique dense form x_{i+1} = a_i x_0 + sum_{j <= i} b_ij u_j of a solver.

    Two solvers are the same map for every field when their times and these numbers
    are equal (Shaul et al. 2024, arXiv 2403.01329, Proposition 3.1 and equation 11).

    Returns:
        a (n,) and lower-triangular b (n, n), float64 on the host.

    Raises:
        ValueError: as `validate`.
    """
    _, a, p, q, _ = (np.asarray(leaf, np.float64) for leaf in validate(solver))
    n = solver.nfe
    x0, *velocities = np.eye(n + 1)  # weights on (x_0, u_0 .. u_{n-1})
    states = [x0]
    for i in range(n):
        us = velocities[: i + 1]
        states.append(advance(a[i], p[i], q[i], x0, states, us))
    form = np.stack(states[1:])
    return form[:, 0], form[:, 1:]

"""Scale-time Bespoke solvers on any explicit Runge-Kutta base.

With x_bar(r) = s_r x(t_r) the sampling ODE becomes x_bar' = u_bar_r(x_bar),

    u_bar_r(x) = (s'_r / s_r) x + t'_r s_r u(t_r, x / s_r),                (16)

and a base step of length h = 1/n on it, written back in x, evaluates for stage k at
r_k = r_i + c_k h

    w_k     = [ s_i x_i + h sum_{l<k} a_kl (s'_l w_l + t'_l s_l u_l) ] / s_k,
    x_{i+1} = [ s_i x_i + h sum_l     b_l  (s'_l w_l + t'_l s_l u_l) ] / s_{i+1},

u_l = u(t_l, w_l): equations 17 (Euler) and 19-20 (midpoint). The values t, t', s, s' at
the nodes are free numbers, learned for one model; stages with equal c share them, and
a stage at c = 1 shares those of the next step's c = 0. Fixed: t_0 = 0, t_n = end,
s_0 = 1.

Reference: Shaul, Perez, Chen, Thabet, Pumarola, Lipman (2024), Bespoke Solvers for
Generative Flow Models, arXiv 2310.19075, sections 2.1-2.2 and appendix F.
"""

from difflib import get_close_matches
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.families.family import Family, Steps
from bespoke_jax.solvers.runge_kutta import TABLEAUX, Tableau
from bespoke_jax.table import Solver

LEARN = {
    "both": ("t", "t_dot", "s", "s_dot"),
    "time": ("t", "t_dot"),
    "scale": ("s", "s_dot"),
}


class _Spec(NamedTuple):
    """Host constants of one family member."""

    steps: int
    tableau: Tableau
    end: float
    learn: tuple[str, ...]
    r: np.ndarray  # (n m + 1,) distinct nodes in [0, 1], m per step
    stage: np.ndarray  # (n, stages) node of each stage
    evaluated: int  # nodes with an evaluation: n m, or n m + 1 if some c = 1

    @property
    def begin(self) -> np.ndarray:
        """(n + 1,) nodes at which the steps begin and the last one ends."""
        return np.linspace(0, len(self.r) - 1, self.steps + 1).astype(int)


class _Nodes(NamedTuple):
    """The paper's quantities at all nodes; rates beyond `evaluated` do not exist."""

    t: jax.Array
    t_dot: jax.Array
    s: jax.Array
    s_dot: jax.Array


@lru_cache
def scale_time(
    steps: int, *, base: str = "midpoint", learn: str = "both", end: float = 1.0
) -> Family:
    """The scale-time family with n = `steps` steps of a Runge-Kutta base.

    theta holds unconstrained numbers: times as log-increments relative to the last one
    (softmax keeps them ordered), t' and s as logarithms (positive), s' as it is. The
    start equals the base solver on the uniform grid: t_r = end r, t' = end, s = 1,
    s' = 0. Free numbers for n steps: 4n - 1 (euler), 8n - 1 (midpoint, ralston),
    4n + 1 (heun), 8n + 1 (kutta3, rk4), 12n - 1 (heun3).

    Args:
        steps: n, at least 1; the solver spends n times the base's stages.
        base: a Runge-Kutta method of `solvers.TABLE`. heun, kutta3 and rk4 evaluate
            the field at t = end in the last step.
        learn: "both", "time" (s = 1, s' = 0 fixed) or "scale" (t_r = end r fixed).
        end: end of the interval, in (0, 1]; below 1 where the field is singular there.

    Returns:
        The same `Family` for the same arguments, so that compiled code is reused.

    Raises:
        ValueError: steps, base, learn or end out of range.
    """
    if base not in TABLEAUX:
        near = get_close_matches(base, TABLEAUX, n=2) or list(TABLEAUX)
        raise ValueError(
            f"base must be a Runge-Kutta method, such as {near}; got {base!r}"
        )
    if learn not in LEARN:
        raise ValueError(f"learn must be one of {list(LEARN)}; got {learn!r}.")
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}.")
    if not 0 < end <= 1:
        raise ValueError(f"end must lie in (0, 1]; got {end}.")
    tableau = TABLEAUX[base]
    inner = np.unique(tableau.c[tableau.c < 1])
    m = len(inner)
    r = np.append((np.arange(steps)[:, None] + inner).ravel() / steps, 1.0)
    # A stage at c = 1 is the first node of the next step, at index (i + 1) m.
    column = np.where(tableau.c == 1, m, np.searchsorted(inner, tableau.c))
    stage = m * np.arange(steps)[:, None] + column
    spec = _Spec(steps, tableau, end, LEARN[learn], r, stage, int(stage.max()) + 1)
    suffix = "" if learn == "both" else f", {learn} only"
    return Family(
        name=f"scale_time({base}, {steps} steps{suffix})",
        init=partial(_init, spec),
        build=partial(_build, spec),
        steps=partial(_steps, spec),
        values=partial(_values, spec),
    )


def _init(spec: _Spec) -> dict[str, jax.Array]:
    log_gaps = np.log(np.diff(spec.r))
    start = {
        "t": log_gaps[:-1] - log_gaps[-1],
        "t_dot": np.zeros(spec.evaluated),
        "s": np.zeros(len(spec.r) - 1),
        "s_dot": np.zeros(spec.evaluated),
    }
    dtype = jnp.promote_types(jnp.float32, jnp.result_type(float))
    return {name: jnp.asarray(start[name], dtype) for name in spec.learn}


def _nodes(spec: _Spec, theta: Any) -> _Nodes:
    theta = {**_init(spec._replace(learn=LEARN["both"])), **theta}
    gaps = jax.nn.softmax(jnp.append(theta["t"], 0.0))
    # t_n = end exactly: the sum of a softmax is 1 only up to rounding.
    t = spec.end * jnp.concatenate([jnp.zeros(1), jnp.cumsum(gaps)[:-1], jnp.ones(1)])
    return _Nodes(
        t=t,
        t_dot=spec.end * jnp.exp(theta["t_dot"]),
        s=jnp.concatenate([jnp.ones(1), jnp.exp(theta["s"])]),
        s_dot=theta["s_dot"],
    )


def _values(spec: _Spec, theta: Any) -> dict[str, jax.Array]:
    """r, t, s at all nodes; t_dot, s_dot at the evaluated ones, which come first."""
    return {"r": jnp.asarray(spec.r), **_nodes(spec, theta)._asdict()}


def _steps(spec: _Spec, theta: Any) -> Steps:
    nodes, (a, b, _, _) = _nodes(spec, theta), spec.tableau
    h, stages = 1.0 / spec.steps, spec.tableau.stages
    s, t = nodes.s[spec.begin], nodes.t[spec.begin]
    t_k, t_dot, s_k, s_dot = (value[spec.stage] for value in nodes)  # (n, stages)
    # Row k produces the input of stage k + 1, the last row the end of the step.
    weights = np.concatenate([a[1:], b[None]])  # (row, l)
    divisor = jnp.concatenate([s_k[:, 1:], s[1:, None]], axis=1)  # (n, row)
    factor = jnp.asarray(h * weights[None]) / divisor[:, :, None]  # (n, row, l)
    on_w, on_u = factor * s_dot[:, None, :], factor * (t_dot * s_k)[:, None, :]
    on_w = on_w.at[:, :, 0].add(s[:-1, None] / divisor)  # w_0 is x_i
    # (S) counts back from the latest: column k of row `row` is stage row - k.
    source = np.arange(stages)[:, None] - np.arange(stages)[None]
    seen, source = source >= 0, np.maximum(source, 0)
    p = jnp.where(seen, on_w[:, np.arange(stages)[:, None], source], 0.0)
    q = jnp.where(seen, on_u[:, np.arange(stages)[:, None], source], 0.0)
    # Velocities that no row looks back to need no memory (midpoint: one suffices).
    reach = max(
        int((row - np.flatnonzero(weights[row])).max()) for row in range(stages)
    )
    rows = Solver(t_k, jnp.zeros_like(t_k), p, q[:, :, : reach + 1], t[1:])

    def lipschitz(l_tau: float) -> jax.Array:
        growth = jnp.abs(s_dot) / s_k + t_dot * l_tau  # L of u_bar at the stages
        stage_l = []
        for k in range(stages):
            inside = sum(abs(a[k, l]) * stage_l[l] for l in range(k))
            stage_l.append(growth[:, k] * (1.0 + h * inside))
        total = sum(abs(b[k]) * stage_l[k] for k in range(stages))
        return s[:-1] / s[1:] * (1.0 + h * total)

    return Steps(t, rows, lipschitz)


def _build(spec: _Spec, theta: Any) -> Solver:
    rows = _steps(spec, theta).rows
    flat = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])
    return Solver(
        flat(rows.t), flat(rows.a), flat(rows.p), flat(rows.q), jnp.asarray(spec.end)
    )

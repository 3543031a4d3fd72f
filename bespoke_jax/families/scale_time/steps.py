"""From values at the nodes of a scale-time family to its solver.

Where the values come from is the business of the family: free numbers (`family`) or
one curve for all numbers of steps (`curve`). The step is in the docstring of `family`.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Theta
from bespoke_jax.families.family import Family, LTau, Steps
from bespoke_jax.families.scale_time.inverse import step_coefficients
from bespoke_jax.families.scale_time.nodes import Nodes, Spec
from bespoke_jax.solvers.tableaux import TABLEAUX


def layout(
    name: str, steps: int, base: str, start: float, end: float, *, learn: str = "both"
) -> Spec:
    """Where a base of `TABLEAUX` with n = `steps` steps has its nodes."""
    tableau = TABLEAUX[base]
    inner = np.unique(tableau.c[tableau.c < 1])
    m = len(inner)
    r = np.append((np.arange(steps)[:, None] + inner).ravel() / steps, 1.0)
    # A stage at c = 1 is the first node of the next step, at index (i + 1) m.
    column = np.where(tableau.c == 1, m, np.searchsorted(inner, tableau.c))
    stage = m * np.arange(steps)[:, None] + column
    return Spec(name, steps, tableau, start, end, learn, r, stage, int(stage.max()) + 1)


def family_on(
    spec: Spec,
    init: Callable[..., Theta],
    nodes: Callable[[Spec, Theta], Nodes],
) -> Family:
    """The family whose theta gives the values at the nodes by `nodes(spec, theta)`.

    `init(spec, start)` is as `Family.init`.
    """
    steps = lambda theta: one_step_maps(spec, nodes(spec, theta))
    return Family(
        name=spec.name,
        init=partial(init, spec),
        build=lambda theta: _solver(spec, steps(theta).rows),
        steps=steps,
        values=lambda theta: _values(spec, nodes(spec, theta)),
        effective=lambda theta: _effective(steps(theta).rows),
    )


def _values(spec: Spec, nodes: Nodes) -> dict[str, jax.Array]:
    """r, t, s at all nodes; t_dot, s_dot at the evaluated ones, which come first."""
    return {"r": jnp.asarray(spec.r), **nodes._asdict()}


def _effective(rows: Solver) -> dict[str, jax.Array]:
    return step_coefficients(rows.t, rows)


def _solver(spec: Spec, rows: Solver) -> Solver:
    flat = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])
    return Solver(
        flat(rows.t), flat(rows.a), flat(rows.p), flat(rows.q), jnp.asarray(spec.end)
    )


def one_step_maps(spec: Spec, nodes: Nodes) -> Steps:
    """The steps of the solver with these values at its nodes (equations 17, 19, 20)."""
    a, b, _, _ = spec.tableau
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

    def lipschitz(l_tau: LTau) -> jax.Array:
        l_u = l_tau(t_k) if callable(l_tau) else l_tau
        growth = jnp.abs(s_dot) / s_k + t_dot * l_u  # L of u_bar at the stages
        stage_l = []
        for k in range(stages):
            inside = sum(abs(a[k, l]) * stage_l[l] for l in range(k))
            stage_l.append(growth[:, k] * (1.0 + h * inside))
        total = sum(abs(b[k]) * stage_l[k] for k in range(stages))
        return s[:-1] / s[1:] * (1.0 + h * total)

    return Steps(t, rows, lipschitz)

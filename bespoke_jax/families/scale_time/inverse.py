"""The identifiable coefficients of a scale-time solver, and the values of a solver.

A step of a base with one or two stages is, whatever the values at its nodes,

    x_{i+1} = A x_i + B u_i,                                       (one stage)
    w = P x_i + Q u_i,    x_{i+1} = C x_i + D w + E u(w),          (two stages)

with A = (s_i + h s'_i)/s_{i+1}, B = h t'_i s_i/s_{i+1} for Euler. These and the
evaluation times fix the solver: s may be rescaled at nodes where only its ratios
count. `values_of` inverts these equations one coefficient at a time and chooses the
free s: s_{i+1} = 1 for one stage, sqrt(s_i s_{i+1}) at the inner node for two.
"""

import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.protocols import Values
from bespoke_jax.core.rows import advance
from bespoke_jax.core.solver import Solver, canonical
from bespoke_jax.core.types import Arr
from bespoke_jax.families.scale_time.nodes import (
    Nodes,
    Spec,
    check_values,
    identity,
    tolerance,
)


def step_coefficients(times: Arr, rows: Solver) -> dict[str, Values]:
    """The coefficients of stacked one-step solvers, by the names above."""
    n, stages = rows.t.shape
    # (n, 1 + stages) weights on x_i and the step's velocities
    start, *velocities = jnp.broadcast_to(
        jnp.eye(1 + stages)[:, None], (1 + stages, n, 1 + stages)
    )
    states = [start]
    for k in range(stages):
        row = (rows.a[:, k], rows.p[:, k], rows.q[:, k])
        states.append(advance(*row, start, states, velocities[: k + 1]))
    form = jnp.stack(states[1:], axis=1)
    return {"t": times, **_named(form[..., 0], form[..., 1:])}


def _named(a: Values, b: Values) -> dict[str, Values]:
    """From each step's canonical numbers a (n, stages), b (n, stages, stages)."""
    if a.shape[1] == 1:
        return {"A": a[:, 0], "B": b[:, 0, 0]}
    if a.shape[1] == 2:
        P, Q, E = a[:, 0], b[:, 0, 0], b[:, 1, 1]
        D = b[:, 1, 0] / Q
        return {"P": P, "Q": Q, "C": a[:, 1] - D * P, "D": D, "E": E}
    return {"a": a, "b": b}


def values_of(spec: Spec, solver: Solver) -> Nodes:
    """The values at the nodes that make the family's solver equal to this one.

    Raises:
        ValueError: the solver is not in the family; says which number is the reason.
    """
    n, stages = spec.stage.shape
    a, b = canonical(solver)
    close = tolerance(*solver)
    if solver.nfe != n * stages:
        raise ValueError(
            f"{spec.name} has {n * stages} evaluations; the solver has {solver.nfe}."
        )
    if abs(float(solver.end) - spec.end) > close:
        raise ValueError(
            f"{spec.name} ends at {spec.end}, the solver at {float(solver.end):.6g}; "
            "give the family that end."
        )
    if abs(float(solver.t[0]) - spec.start) > close:
        raise ValueError(
            f"{spec.name} starts at {spec.start}, the solver at "
            f"{float(solver.t[0]):.6g}; give the family that start."
        )
    a, b = _one_step_form(a, b, n, stages, close, spec.name)
    times = np.asarray(solver.t, np.float64).reshape(n, stages)
    # Heun has two stages too, but its second is the next step's first.
    if stages <= 2 and spec.evaluated == n * stages:
        for k, name in enumerate(("B",) if stages == 1 else ("Q", "E")):
            _check_positive(spec, name, b[:, k, k])
        values = (_one_stage if stages == 1 else _two_stages)(spec, _named(a, b))
        # The ends as the family has them, not as the solver's dtype rounds them.
        values["t"] = np.concatenate([[spec.start], times.ravel()[1:], [spec.end]])
        return check_values(spec, values)
    base, (base_a, base_b) = identity(spec), _base_steps(spec)
    pairs = (times, base.t[spec.stage]), (a, base_a), (b, base_b)
    if all(np.allclose(*pair, rtol=close, atol=close) for pair in pairs):
        return base
    raise ValueError(
        f"{spec.name} can start only from its own base solver, as its steps "
        "share numbers or are constrained. From any member: bases euler, midpoint and "
        "ralston. For every base: families.from_path and families.from_schedules."
    )


def _base_steps(spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """The base's own a (n, stages) and b (n, stages, stages) on the uniform grid."""
    weights = np.concatenate([spec.tableau.a[1:], spec.tableau.b[None]])
    h = spec.span / spec.steps
    return np.ones(spec.stage.shape), np.tile(h * weights, (spec.steps, 1, 1))


def _one_step_form(a, b, n, stages, close, name):
    """Each step's canonical numbers, if no step uses more than its own start."""
    states = np.concatenate([np.eye(1, 1 + a.size), np.column_stack([a, b])])
    form = np.zeros((n, stages, 1 + stages))
    for row in range(n * stages):
        i, k = divmod(row, stages)
        new, seen = states[row + 1], 1 + i * stages  # x_0 and velocities before step i
        start = states[i * stages, :seen]
        weight = new[:seen] @ start / max(start @ start, np.finfo(float).tiny)
        if np.abs(new[:seen] - weight * start).max() > close * np.abs(new).max():
            raise ValueError(
                f"{name} is a one-step family; row {row} of the solver uses states or "
                f"velocities from before step {i}."
            )
        form[i, k] = weight, *new[seen : seen + stages]
    return form[..., 0], form[..., 1:]


def _check_positive(spec: Spec, name: str, value: np.ndarray) -> None:
    if value.min() <= 0:
        i = int(np.argmin(value))
        raise ValueError(
            f"{spec.name} needs {name} > 0 in every step, as t' and s are positive; "
            f"the solver has {name} = {value[i]:.6g} in step {i}."
        )


def _one_stage(spec: Spec, step: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    A, B, h = step["A"], step["B"], 1 / spec.steps
    # With t' fixed the scale must explain B; otherwise no scale is needed at all.
    ratio = h * spec.span / B if spec.learn == "scale" else np.ones_like(B)
    s = np.append(1.0, np.cumprod(ratio))
    before, after = s[:-1], s[1:]
    return {
        "t_dot": B * after / (h * before),
        "s": s,
        "s_dot": (A * after - before) / h,
    }


def _two_stages(spec: Spec, step: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    _check_positive(spec, "C", step["C"])
    P, Q, C, D, E = (step[name] for name in "PQCDE")
    # c: node of the second stage; the base step is z = x + h c u(x),
    # x + h b_0 u(x) + h b_1 u(z) = (1 - b_0/c) x + (b_0/c) z + h b_1 u(z).
    c, (b_0, b_1), h = spec.tableau.c[1], spec.tableau.b, 1 / spec.steps
    s = np.append(1.0, np.cumprod((1 - b_0 / c) / C))  # at the ends of the steps
    before, after = s[:-1], s[1:]
    if spec.learn == "scale":
        inner = h * c * spec.span * before / Q
    else:
        inner = np.sqrt(before * after)
    weave = lambda first, second: np.stack([first, second], axis=1).ravel()
    return {
        "t_dot": weave(Q * inner / (h * c * before), E * after / (h * b_1 * inner)),
        "s": np.append(weave(before, inner), s[-1]),
        "s_dot": weave(
            (P * inner - before) / (h * c), (D * after - b_0 / c * inner) / (h * b_1)
        ),
    }

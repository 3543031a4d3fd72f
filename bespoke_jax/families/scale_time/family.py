"""Scale-time Bespoke solvers on any explicit Runge-Kutta base.

With x_bar(r) = s_r x(t_r) the sampling ODE becomes x_bar' = u_bar_r(x_bar),

    u_bar_r(x) = (s'_r / s_r) x + t'_r s_r u(t_r, x / s_r),                (16)

and a base step of length h = 1/n on it, written back in x, evaluates for stage k at
r_k = r_i + c_k h

    w_k     = [ s_i x_i + h sum_{l<k} a_kl (s'_l w_l + t'_l s_l u_l) ] / s_k,
    x_{i+1} = [ s_i x_i + h sum_l     b_l  (s'_l w_l + t'_l s_l u_l) ] / s_{i+1},

u_l = u(t_l, w_l): equations 17 (Euler) and 19-20 (midpoint). The values t, t', s, s' at
the nodes are free numbers, learned for one model; stages with equal c share them, and
a stage at c = 1 shares those of the next step's c = 0. Fixed: t_0 = start, t_n = end,
s_0 = 1.

Reference: Shaul, Perez, Chen, Thabet, Pumarola, Lipman (2024), Bespoke Solvers for
Generative Flow Models, arXiv 2310.19075, sections 2.1-2.2 and appendix F.
"""

from functools import lru_cache

import jax

from bespoke_jax.core.checks import known, whole
from bespoke_jax.core.solver import Solver
from bespoke_jax.families.family import Family, check_interval
from bespoke_jax.families.scale_time.inverse import values_of
from bespoke_jax.families.scale_time.nodes import (
    LEARN,
    Spec,
    check_values,
    identity,
    nodes_from,
    theta_from,
)
from bespoke_jax.families.scale_time.steps import family_on, layout
from bespoke_jax.solvers.tableaux import TABLEAUX


def scale_time(
    steps: int,
    *,
    base: str = "midpoint",
    learn: str = "both",
    start: float | int = 0.0,
    end: float | int = 1.0,
) -> Family:
    """The scale-time family with n = `steps` steps of a Runge-Kutta base.

    theta holds unconstrained numbers: times as log-increments relative to the last one
    (softmax keeps them ordered), t' and s as logarithms (positive), s' unchanged.
    Free numbers for n steps: 4n - 1 (euler), 8n - 1 (midpoint, ralston), 4n + 1 (heun),
    8n + 1 (kutta3, rk4), 12n - 1 (heun3).

    `init()` is the base solver on the uniform grid: t_r = start + (end - start) r,
    t' = end - start, s = 1, s' = 0. `init(values)` takes values at the nodes named as
    `values` returns them (missing ones as in `init()`), see `from_path` and
    `from_schedules`. `init(solver)` is exact for every solver in the family of euler,
    midpoint or ralston: DDIM lies in that of euler, DPM-Solver-2 in that of midpoint.
    Other bases know their base solver.

    Some of theta is redundant: s can be rescaled at nodes where only ratios of it
    count. `effective(theta)` is what remains, the same for equal solvers: times t
    (n, stages) and, (n,) each, A, B of x_{i+1} = A x_i + B u_i (euler) or P .. E of
    w = P x_i + Q u_i, x_{i+1} = C x_i + D w + E u(w) (two stages); for more stages the
    canonical a (n, stages), b (n, stages, stages) of each step. Of 4n - 1 numbers
    3n - 1 remain (euler), of 8n - 1 7n - 1 (midpoint, ralston).

    Args:
        steps: n, at least 1; the solver spends n times the base's stages.
        base: a Runge-Kutta method of `solvers.TABLE`. heun, kutta3 and rk4 evaluate
            the field at t = end in the last step.
        learn: "both", "time" (s = 1, s' = 0 fixed) or "scale" (t_r and t' fixed).
        start: start of the interval, in [0, end): the time of x_0. Above 0 where the
            samples begin as noised data.
        end: end of the interval, in (0, 1]; below 1 where the field is singular there.

    Returns:
        The same `Family` for the same arguments, so that compiled code is reused.

    Raises:
        ValueError: steps, base, learn, start or end out of range. `init`: a start
            outside the family or beyond what `learn` can represent, naming the number
            at fault.
    """
    known("base", base, TABLEAUX)
    known("learn", learn, LEARN)
    start, end = check_interval(start, end)
    return _family(whole("steps", steps, most=10_000), base, learn, start, end)


@lru_cache
def _family(steps: int, base: str, learn: str, start: float, end: float) -> Family:
    suffix = "" if learn == "both" else f", {learn} only"
    name = f"scale_time({base}, {steps} steps{suffix})"
    spec = layout(name, steps, base, start, end, learn=learn)
    return family_on(spec, _init, nodes_from)


def _init(spec: Spec, start: object = None) -> dict[str, jax.Array]:
    if start is None:
        return theta_from(spec, identity(spec))
    if isinstance(start, Solver):
        return theta_from(spec, values_of(spec, start))
    if isinstance(start, dict):
        return theta_from(spec, check_values(spec, start))
    raise ValueError(
        "a start is None (the base solver), a Solver or a dict of values at the nodes; "
        f"got {type(start).__name__}."
    )

"""SciRE-Solver: Taylor steps in sigma / alpha with recursive-difference derivatives.

With y = x / alpha and tau = sigma / alpha the ODE is dy/dtau = eps; with z = x / sigma
and w = 1 / tau it is dz/dw = x_1. V1 solves the first, V2 the second, by a Taylor step
whose derivative is a difference divided by phi_1: 1 is the finite difference, below 1
the recursive difference without its derivative terms at the far end. SciREI does so
inside the exponential integrator. Li, Chen and Zeng, 2023, arXiv 2308.07896: equations
3.2 and 3.3, corollary 3.1, algorithms 1 (V1-2) and 2 (V1-3). The methods with an m are
those of the authors' program; the paper has no multistep algorithm.

The divisor `phi` decides the order: 1 ("fd") keeps it, any other constant makes every
method of first order (theorem 3.2 holds with order k - 1 for k = 2, not for k = 3),
with an error 1 - 1 / phi times DDIM's at equal steps. So:

- phi="rd" (phi_1(3) = 2/3) and "rd_inf" (1 - 1/e) are the paper's, "official" the list
  over the steps in the authors' program; stage="paper" goes with them.
- phi="fd" keeps the order; three-stage methods are of order 3 with stage="taylor".

Common arguments; every constructor raises ValueError for one out of range:

- `schedule`, the model's Gaussian path; `nfe`, evaluations to spend; `mode` "fixed" (as
  many whole steps as nfe pays for) or "agile" (all of nfe, lower orders at the end).
- `r1`, `r2`, places of the stages in sigma / alpha (V2: in alpha / sigma); or
  r1="inner", where a grid of the same name has them, an explicit grid then listing all
  nfe + 1 times; or, with two stages, r1="geometric", the geometric mean with the weight
  of r1 = 1/2 (V1-2 with phi=1 is then DPM-Solver-2).
- `grid`, a name, a callable or times (the outer ones for singlestep methods), and `k`,
  the parameter of the NSR grid, 3.1 in the paper; `start` and `end`, the times of the
  first state and of the sample.
- `lower_order_final` (multistep): the last steps are of order at most nfe - i. The
  first steps use the predictions there are.
- `denoise` returns the data prediction at the end, for one more evaluation. V1 uses no
  data prediction; thresholding belongs to the field (`bespoke_jax.fields.threshold`).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from bespoke_jax.core.checks import known, real, whole
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers import loops
from bespoke_jax.solvers.exponential import phi as phi_of
from bespoke_jax.solvers.loops import Stages
from bespoke_jax.solvers.naming import named
from bespoke_jax.solvers.prediction import LAM, SNR, TAU, Axis, Point, Prediction

Phi = str | float | int
"""What `phi` accepts: "rd", "rd_inf", "fd", "official" or a number above 0."""


class Form(NamedTuple):
    """What is integrated: the prediction m over the variable of an axis."""

    name: str
    m: Callable[[Prediction], Linear]
    axis: Axis
    half: Callable[[Point, Point], float]
    """The weight of m(t) - m(s) in a step from s to t: of a line, half its length."""


def _taylor(axis: Axis, scale: Callable[[Point], float]):
    return lambda s, t: scale(t) * (axis.value(t) - axis.value(s)) / 2


V1 = Form("scire_v1", lambda p: p.eps, TAU, _taylor(TAU, lambda t: t.alpha))
V2 = Form("scire_v2", lambda p: p.x1, SNR, _taylor(SNR, lambda t: t.sigma))
EI = Form(
    "scirei", lambda p: p.eps, LAM, lambda s, t: -t.sigma * phi_of(t.lam - s.lam)[1]
)


def recursive_difference(m: int | float) -> tuple[float, float, float]:
    """(phi_1, phi_2, phi_3) of corollary 3.1 for m >= 1, or m = math.inf.

    phi_k(m) = sum_{n=k}^{m} (-1)^(n-k) / n!, so that, h being the step from s to t,

        Gamma'(s) = ((Gamma(t) - Gamma(s)) / h - phi_2 Gamma'(t)
                     - phi_3 h Gamma''(t)) / phi_1 + O(h^2)         (m >= 3).

    phi_1(3) = 2/3 and phi_1(inf) = 1 - 1/e; phi_1 + phi_2 = 1 and, from m = 3 on,
    phi_2 + phi_3 = 1/2.

    Raises:
        ValueError: m is neither a whole number of at least 1 nor math.inf.
    """
    infinite = isinstance(m, float) and m == math.inf
    last = 30 if infinite else whole("m", m)  # 1 / 30! is far below rounding

    term = lambda n, k: (-1) ** (n - k) / math.factorial(n)
    phi = lambda k: math.fsum(term(n, k) for n in range(k, last + 1))
    return phi(1), phi(2), phi(3)


_phi_1 = lambda m: recursive_difference(m)[0]
_NAMED = {"rd": _phi_1(3), "rd_inf": _phi_1(math.inf), "fd": 1.0}


def _divisor(
    phi: Phi, nfe: Count, order: int, official: Callable[[int, int, int], int]
) -> Callable[[int], float]:
    """phi_1 of step j = 0, 1, ...; "official" is the list of the authors' program."""
    nfe = whole("nfe", nfe)
    if phi == "official":
        return lambda j: _phi_1(3 + official(nfe, order, j))
    if isinstance(phi, str) and phi not in _NAMED:
        names = ", ".join(map(repr, [*_NAMED, "official"]))
        raise ValueError(f"phi must be {names} or a number above 0; got {phi!r}.")
    constant = _NAMED[phi] if isinstance(phi, str) else real("phi", phi, above=0)
    return lambda j: constant


def _official_singlestep(nfe: int, order: int, j: int) -> int:
    K = max(nfe // order, 1)
    if j < K // 2:
        return 2 * j
    return K - 1 if j in (K // 2, K) else 2 * (K - j) - 1


def _official_multistep(nfe: int, order: int, i: int) -> int:
    step = i + 1
    if step < order:
        return min(2 * step - 1, nfe)
    if step < nfe // 2:
        return 2 * (step - order) + 1
    return nfe if step == nfe // 2 else 2 * (nfe - step)


_SEE = "\n\n    Arguments and errors as described in `bespoke_jax.solvers.scire`.\n    "


def _singlestep(
    form: Form,
    layout: Layout,
    nfe: Count,
    mode: str,
    phi: Phi,
    r: tuple[float | int | str, ...],
    stage: str,
    denoise: bool,
) -> Solver:
    """Steps with stages at r1, or at r1 and r2."""
    order, geometric = 1 + len(r), r == ("geometric",)
    phi_1 = _divisor(phi, nfe, order, _official_singlestep)
    known("stage", stage, ("paper", "taylor"))
    orders = loops.budget(nfe, order, mode)
    found = (0.5,) if geometric else loops.places(*r)
    # A step of order 2 at the end of a three-stage method has its node at 1/2.
    ratios = None if found is None else {2: (0.5,), order: found}
    # The program takes a grid's own nodes as ratios in tau, in V2 too.
    inner = None if form is EI else TAU
    stages = Stages(LAM if geometric else form.axis, ratios, inner)

    def step(predict, x, path, j):
        s, *nodes, t = path
        c, weight = form.axis.value, phi_1(j)
        m_s = predict(s, x)
        if not nodes:
            return m_s.ddim(t)
        h = c(t) - c(s)
        r = [0.5] if geometric else [(c(p) - c(s)) / h for p in nodes]
        D = form.m(predict(nodes[0], m_s.ddim(nodes[0]))) - form.m(m_s)
        if len(nodes) == 2:
            # The paper and its program lost the second factor r_2.
            a_32 = (1 if stage == "paper" else r[1]) / (r[0] * weight)
            s2 = nodes[1]
            x_s2 = m_s.ddim(s2) + (form.half(s, s2) * a_32) * D
            D = form.m(predict(s2, x_s2)) - form.m(m_s)
        return m_s.ddim(t) + (form.half(s, t) / (weight * r[-1])) * D

    return loops.singlestep(layout, step, orders=orders, stages=stages, denoise=denoise)


def _two_stage(form: Form, doc: str):
    def solver(
        schedule: Schedule,
        *,
        nfe: Count,
        mode: str = "fixed",
        phi: Phi = "rd",
        r1: float | int | str = 0.5,
        grid: GridLike = "nsr",
        k: Number = 3.1,
        start: Number = 0.0,
        end: Number = 1 - 1e-3,
        denoise: bool = False,
    ) -> Solver:
        layout = Layout(schedule, grid, start, end, k)
        return _singlestep(form, layout, nfe, mode, phi, (r1,), "paper", denoise)

    return named(solver, f"{form.name}_2", doc + _SEE)


def _three_stage(form: Form, doc: str):
    def solver(
        schedule: Schedule,
        *,
        nfe: Count,
        mode: str = "fixed",
        phi: Phi = "rd",
        r1: float | int | str = 1 / 3,
        r2: float | int = 2 / 3,
        stage: str = "paper",
        grid: GridLike = "nsr",
        k: Number = 3.1,
        start: Number = 0.0,
        end: Number = 1 - 1e-3,
        denoise: bool = False,
    ) -> Solver:
        layout = Layout(schedule, grid, start, end, k)
        return _singlestep(form, layout, nfe, mode, phi, (r1, r2), stage, denoise)

    return named(solver, f"{form.name}_3", doc + _SEE)


def _multistep(form: Form, order: int, doc: str):
    def solver(
        schedule: Schedule,
        *,
        nfe: Count,
        phi: Phi = "rd",
        variant: str = "official",
        grid: GridLike = "nsr",
        k: Number = 3.1,
        start: Number = 0.0,
        end: Number = 1 - 1e-3,
        lower_order_final: bool = True,
        denoise: bool = False,
    ) -> Solver:
        known("variant", variant, ("official", "iclr"))
        phi_1 = _divisor(phi, nfe, order, _official_multistep)

        def step(past, t, i):
            if len(past) == 1:
                return past[0].ddim(t)
            change = _change(form, past, t, phi_1(i), variant)
            return past[0].ddim(t) + (2 * form.half(past[0].at, t)) * change

        return loops.multistep(
            Layout(schedule, grid, start, end, k),
            step,
            nfe=nfe,
            order=order,
            axis=LAM,  # infinite at both ends, where neither form has a finite step
            lower_order_final=lower_order_final,
            denoise=denoise,
        )

    return named(solver, f"{form.name}_{order}m", doc + _SEE)


def _change(
    form: Form, past: list[Prediction], t: Point, phi: float, variant: str
) -> Linear:
    """The mean of m over a multistep step, less its newest value; ratios in tau."""
    m, tau = [form.m(p) for p in past], [p.at.tau for p in past]
    r_0 = phi * (tau[1] - tau[0]) / (tau[0] - t.tau)
    D_1 = m[0] - m[1]
    if len(past) == 3:
        r_1 = phi / (1 + phi) * (tau[2] - tau[1]) / (tau[1] - tau[0])
        D_2 = D_1 - (m[1] - m[2])
        return 1 / (2 * r_0 * phi) * D_1 + 1 / (6 * r_0 * phi * r_1 * phi) * D_2
    if variant == "iclr":
        return 1 / (2 * phi * r_0) * D_1
    r = math.log(tau[1] / tau[0]) / math.log(tau[0] / t.tau)
    return 1 / (2 * phi * r**0.25) * D_1


scire_v1_2 = _two_stage(
    V1,
    """SciRE-V1-2, two evaluations per step; with y = x / alpha, tau = sigma / alpha:

    y_1 = y + r1 h eps_s,   y_t = y + h eps_s + h / (2 phi r1) (eps_1 - eps_s).

    Algorithm 1. Order 1 for phi other than 1, order 2 for phi="fd", which with
    r1 = 1/2 is the explicit midpoint rule in tau.""",
)
scire_v2_2 = _two_stage(
    V2,
    """SciRE-V2-2: V1-2 on the data prediction, z = x / sigma and w = alpha / sigma.

    Order 1 for phi other than 1, order 2 for phi="fd".""",
)
scire_v1_3 = _three_stage(
    V1,
    """SciRE-V1-3, three evaluations per step, in y = x / alpha and tau = sigma / alpha:

    y_2 = y + r2 h eps_s + a h (eps_1 - eps_s), a = r2 / (2 r1 phi),
    y_t = y + h eps_s + h / (2 phi r2) (eps_2 - eps_s).

    Algorithm 2. stage="taylor" has a = r2^2 / (2 r1 phi). Order 1 for phi other than
    1; with phi="fd" order 2, and 3 (Heun's third-order rule) with stage="taylor".""",
)
scire_v2_3 = _three_stage(
    V2,
    """SciRE-V2-3: V1-3 on the data prediction, z = x / sigma and w = alpha / sigma.

    Order 1 for phi other than 1; with phi="fd" order 2, and 3 with stage="taylor".""",
)
scire_v1_2m = _multistep(
    V1,
    2,
    """SciRE-V1-2m, two-step: one evaluation per step, y = x / alpha.

    variant="official": y_t = y + h eps_0 + h / (2 phi r^(1/4)) (eps_0 - eps_-1) with
    r = log(tau_-1 / tau_0) / log(tau_0 / tau_t), the authors' program of 2024;
    "iclr": h^2 / (2 phi^2 h_0) as the weight, that of October 2023. Order 1 for phi
    other than 1, else 2.""",
)
scire_v1_3m = _multistep(
    V1,
    3,
    """SciRE-V1-3m, three-step: one evaluation per step.

    y_t = y + h eps_0 + h / (2 r_0 phi) D_1 + h / (6 r_0 r_1 phi^2) D_2, with the
    first and second differences D_k, r_0 = phi h_0 / h and
    r_1 = phi / (1 + phi) h_1 / h_0. Order 1 for phi other than 1, and only 2 for
    phi="fd". `variant` is that of its two-step steps.""",
)
scire_v2_2m = _multistep(
    V2,
    2,
    """SciRE-V2-2m: V1-2m on the data prediction, its step ratios still in tau.

    Order 1 for phi other than 1, else 2.""",
)
scire_v2_3m = _multistep(
    V2,
    3,
    """SciRE-V2-3m: V1-3m on the data prediction, its step ratios still in tau.

    Order 1 for phi other than 1, else 2.""",
)
scirei_2 = _two_stage(
    EI,
    """SciREI-2: recursive difference within the exponential integrator in lambda.

    With h = lambda_t - lambda_s, s1 = t(lambda_s + r1 h) and D = eps_1 - eps_s,

        x_t = ddim - sigma_t (e^h - 1 - h) / (r1 phi h) D.

    Two evaluations per step. Order 1 for phi other than 1, else 2.""",
)

"""Recursive difference (RD) and the step formulas of SciRE-Solver.

With y = x / alpha and tau = sigma / alpha the ODE is dy/dtau = eps; with z = x / sigma
and w = 1 / tau it is dz/dw = x_1. V1 solves the first, V2 the second, by a Taylor step
whose derivative is a difference divided by phi_1: 1 is the finite difference, below 1
the recursive difference with its derivative terms at the far end left out.

Li, Chen and Zeng, 2023, arXiv 2308.07896: equations 3.2 and 3.3 (the two integrals),
theorem 3.1 and corollary 3.1 (RD), algorithms 1 and 2 (V1-2 and V1-3).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from bespoke_jax.core.checks import known, real, whole
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear
from bespoke_jax.core.types import Count
from bespoke_jax.solvers import _steps
from bespoke_jax.solvers._exponential import lam
from bespoke_jax.solvers._prediction import Point, Prediction
from bespoke_jax.solvers._steps import Layout, budget


class Form(NamedTuple):
    """The prediction m, its variable, the scale of x in it, and the inverse."""

    m: Callable[[Prediction], Linear]
    variable: Callable[[Point], float]
    scale: Callable[[Point], float]
    tau: Callable[[float], float]


def _inverse(value: float) -> float:
    return 1 / value if value else math.inf


V1 = Form(lambda p: p.eps, lambda p: p.tau, lambda t: t.alpha, lambda tau: tau)
V2 = Form(lambda p: p.x1, lambda p: _inverse(p.tau), lambda t: t.sigma, _inverse)


def recursive_difference(m: int | float) -> tuple[float, float, float]:
    """(phi_1, phi_2, phi_3) of corollary 3.1 for m >= 1, or m = math.inf.

    phi_k(m) = sum_{n=k}^{m} (-1)^(n-k) / n!, so that, h being the step from s to t,

        Gamma'(s) = ((Gamma(t) - Gamma(s)) / h - phi_2 Gamma'(t)
                     - phi_3 h Gamma''(t)) / phi_1 + O(h^2)         (m >= 3).

    phi_1(3) = 2/3 and phi_1(inf) = 1 - 1/e; phi_1 + phi_2 = 1 and, from m = 3 on,
    phi_2 + phi_3 = 1/2.
    """
    infinite = isinstance(m, float) and m == math.inf
    last = 30 if infinite else whole("m", m)  # 1 / 30! is far below rounding

    def phi(k):
        return math.fsum(
            (-1) ** (n - k) / math.factorial(n) for n in range(k, last + 1)
        )

    return phi(1), phi(2), phi(3)


def singlestep_phi(
    phi: str | float | int, nfe: Count, order: int
) -> Callable[[int], float]:
    """phi_1 of step j = 0, 1, ...; "official" is the list of the authors' program."""
    nfe = whole("nfe", nfe)
    if phi != "official":
        return lambda j: _constant(phi)
    K = max(nfe // order, 1)
    table = [recursive_difference(m + 3)[0] for m in range(K)]

    def chosen(j: int) -> float:
        if j < K // 2:
            return table[2 * j]
        return table[K - 1] if j == K // 2 else table[max(2 * (K - j) - 1, -1)]

    return chosen


def multistep_phi(
    phi: str | float | int, nfe: Count, order: int
) -> Callable[[int], float]:
    """phi_1 of step i = 0, 1, ...; "official" is the list of the authors' program."""
    nfe = whole("nfe", nfe)
    if phi != "official":
        return lambda i: _constant(phi)
    table = [recursive_difference(m + 3)[0] for m in range(nfe + 1)]

    def chosen(i: int) -> float:
        step = i + 1
        if step < order:
            return table[min(2 * step - 1, nfe)]
        if step < nfe // 2:
            return table[2 * (step - order) + 1]
        return table[-1] if step == nfe // 2 else table[2 * (nfe - step)]

    return chosen


_NAMED = {
    "rd": recursive_difference(3)[0],
    "rd_inf": recursive_difference(math.inf)[0],
    "fd": 1.0,
}


def _constant(phi: str | float | int) -> float:
    if isinstance(phi, str):
        if phi in _NAMED:
            return _NAMED[phi]
        names = ", ".join(map(repr, [*_NAMED, "official"]))
        raise ValueError(f"phi must be {names} or a number above 0; got {phi!r}.")
    return real("phi", phi, above=0)


def singlestep(
    form: Form,
    order: int,
    layout: Layout,
    *,
    nfe: Count,
    mode: str,
    phi: str | float | int,
    r1: float | int | str,
    r2: float | int,
    stage: str,
    denoise: bool,
) -> Solver:
    """SciRE-V1-2, -3, V2-2 or -3 with the step orders of the budget."""
    known("stage", stage, ("paper", "taylor"))
    phi_1 = singlestep_phi(phi, nfe, order)
    phi_1(0)  # a bad phi is told even where only first-order steps are taken
    geometric = r1 == "geometric" and order == 2

    def step(predict, x, path, j):
        s, *stages, t = path
        c, weight = form.variable, phi_1(j)
        m_s = predict(s, x)
        if not stages:
            return m_s.ddim(t)
        h = c(t) - c(s)
        r = [0.5] if geometric else [(c(p) - c(s)) / h for p in stages]
        D = form.m(predict(stages[0], m_s.ddim(stages[0]))) - form.m(m_s)
        if len(stages) == 2:
            # The paper and its program lost the second factor r_2.
            a_32 = r[1] ** (1 if stage == "paper" else 2) / (2 * r[0] * weight)
            s2 = stages[1]
            x_s2 = m_s.ddim(s2) + (form.scale(s2) * h * a_32) * D
            D = form.m(predict(s2, x_s2)) - form.m(m_s)
        return m_s.ddim(t) + (form.scale(t) * h / (2 * weight * r[-1])) * D

    return _steps.singlestep(
        layout,
        step,
        orders=budget(nfe, order, mode),
        coordinate=lam if geometric else form.variable,
        at=layout.at_log_snr
        if geometric
        else lambda value: layout.at_nsr(form.tau(value)),
        ratios=ratios(0.5 if geometric else r1, r2, order),
        # The program takes such ratios in tau, in V2 too.
        inner=lambda p: p.tau,
        denoise=denoise,
    )


def ratios(r1, r2, order):
    if r1 == "inner":
        return None
    places = () if isinstance(r1, str) else (real("r1", r1), real("r2", r2))
    if not places or places[0] == places[1] or not all(0 < r < 1 for r in places):
        raise ValueError(
            'r1 and r2 must be different numbers in (0, 1), or r1 "inner"; got '
            f"r1={r1!r}, r2={r2!r}."
        )
    return {2: (places[0] if order == 2 else 0.5,), 3: places}


def multistep(
    form: Form,
    order: int,
    layout: Layout,
    *,
    nfe: Count,
    phi: str | float | int,
    variant: str,
    lower_order_final: bool,
    denoise: bool,
) -> Solver:
    """SciRE-V1-2m, -3m, V2-2m or -3m; all step ratios are in tau, as the program's."""
    known("variant", variant, ("official", "iclr"))
    phi_1 = multistep_phi(phi, nfe, order)

    def step(past, t, i):
        x_t, weight = past[0].ddim(t), phi_1(i)
        if len(past) == 1:
            return x_t
        m = [form.m(p) for p in past]
        tau = [p.at.tau for p in past]
        h = tau[0] - t.tau
        r_0 = weight * (tau[1] - tau[0]) / h
        D_1 = m[0] - m[1]
        if len(past) == 3:
            r_1 = weight / (1 + weight) * (tau[2] - tau[1]) / (tau[1] - tau[0])
            D_2 = D_1 - (m[1] - m[2])
            change = 1 / (2 * r_0 * weight) * D_1
            change = change + 1 / (6 * r_0 * weight * r_1 * weight) * D_2
        elif variant == "official":
            r = math.log(tau[1] / tau[0]) / math.log(tau[0] / t.tau)
            change = 1 / (2 * weight * r**0.25) * D_1
        else:
            change = 1 / (2 * weight * r_0) * D_1
        H = form.variable(t) - form.variable(past[0].at)
        return x_t + (form.scale(t) * H) * change

    return _steps.multistep(
        layout,
        step,
        nfe=nfe,
        order=order,
        # Infinite at both ends, where neither form has a finite step.
        coordinate=lambda p: p.lam,
        lower_order_final=lower_order_final,
        denoise=denoise,
    )

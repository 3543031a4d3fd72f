"""Exponential integrators in lambda, on the noise or on the data prediction.

With h = lambda_t - lambda_s the two exact solutions

    x_t = alpha_t / alpha_s x_s - alpha_t int exp(-lambda) eps d lambda,
    x_t = sigma_t / sigma_s x_s + sigma_t int exp(lambda) x_1 d lambda

have the same form: for m = eps, scale c_t = sigma_t and e = h, and for m = x_1,
c_t = alpha_t and e = -h, a polynomial m = sum_k m_k ((lambda - lambda_s) / h)^k / k!
is integrated as x_t = ddim - c_t sum_k phi_{k+1}(e) m_k. DPM-Solver takes the first,
DPM-Solver++ the second; `dpm_constructors` makes the constructors of both.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from bespoke_jax.core.checks import known
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear
from bespoke_jax.core.types import Count
from bespoke_jax.grids import Layout
from bespoke_jax.solvers import loops
from bespoke_jax.solvers.loops import Stages
from bespoke_jax.solvers.prediction import LAM, Point, Prediction

VARIANTS = ("dpmsolver", "taylor")
MULTISTEP_VARIANTS = (*VARIANTS, "exact")


class Kind(NamedTuple):
    """What is interpolated: the prediction m, its scale c_t, the sign of e = +-h."""

    m: Callable[[Prediction], Linear]
    c: Callable[[Point], float]
    sign: float


NOISE = Kind(lambda p: p.eps, lambda t: t.sigma, 1.0)
DATA = Kind(lambda p: p.x1, lambda t: t.alpha, -1.0)


def phi(e: float) -> tuple[float, float, float, float]:
    """phi_1 = exp(e) - 1 and phi_{k+1} = phi_k / e - 1 / k!, up to phi_4.

    In powers, phi_{k+1} = e / (k + 1)! + e^2 / (k + 2)! + ...
    """
    if abs(e) < 1:  # where the differences would cancel
        terms = lambda k: (e**i / math.factorial(k + i) for i in range(1, 20))
        return math.expm1(e), sum(terms(1)), sum(terms(2)), sum(terms(3))
    phi_2 = math.expm1(e) / e - 1
    phi_3 = phi_2 / e - 1 / 2
    return math.expm1(e), phi_2, phi_3, phi_3 / e - 1 / 6


def differences(
    h: float, h0: float, h1: float, m0: Linear, m1: Linear, m2: Linear
) -> tuple[Linear, Linear]:
    """(D_1, D_2): slope and curvature at the newest of three values, times h and h^2.

    h0 and h1 are the last two steps; D_2 is half of the second derivative's estimate.
    """
    r0, r1 = h0 / h, h1 / h
    first, second = (1 / r0) * (m0 - m1), (1 / r1) * (m1 - m2)
    D_2 = (1 / (r0 + r1)) * (first - second)
    return first + r0 * D_2, D_2


def singlestep(
    kind: Kind,
    layout: Layout,
    orders: list[int],
    ratios: dict[int, tuple[float, ...]] | None,
    variant: str,
    denoise: bool,
) -> Solver:
    """DPM-Solver(++)-1, -2 and -3 steps, as many as `orders`.

    Args:
        ratios: places of the stages in lambda by the order of a step; None: the grid's.
    """
    known("variant", variant, VARIANTS)

    def step(predict, x, path, j):
        s, *stages, t = path
        h = t.lam - s.lam
        m_s = predict(s, x)
        x_t = m_s.ddim(t)
        if not stages:
            return x_t
        r = [(p.lam - s.lam) / h for p in stages]
        D_1 = kind.m(predict(stages[0], m_s.ddim(stages[0]))) - kind.m(m_s)
        phi_1, phi_2, phi_3, _ = phi(kind.sign * h)
        if len(stages) == 1:
            weight = phi_1 / 2 if variant == "dpmsolver" else phi_2
            return x_t - (kind.c(t) * weight / r[0]) * D_1
        s2 = stages[1]
        weight = phi(kind.sign * r[1] * h)[1] * r[1] / r[0]
        x_s2 = m_s.ddim(s2) - (kind.c(s2) * weight) * D_1
        D_2 = kind.m(predict(s2, x_s2)) - kind.m(m_s)
        if variant == "dpmsolver":
            return x_t - (kind.c(t) * phi_2 / r[1]) * D_2
        # The parabola through the three values: slope and half curvature.
        D_1, D_2 = (1 / r[0]) * D_1, (1 / r[1]) * D_2
        slope = (1 / (r[1] - r[0])) * (r[1] * D_1 - r[0] * D_2)
        curve = (1 / (r[1] - r[0])) * (D_2 - D_1)
        return x_t - kind.c(t) * (phi_2 * slope + 2 * phi_3 * curve)

    return loops.singlestep(
        layout,
        step,
        orders=orders,
        stages=Stages(LAM, ratios),
        denoise=denoise,
    )


def multistep(
    kind: Kind,
    layout: Layout,
    order: int,
    nfe: Count,
    variant: str,
    lower_order_final: bool,
    denoise: bool,
) -> Solver:
    """DPM-Solver(++)-2M and -3M; the first step is DDIM, the second two-step."""
    known("variant", variant, MULTISTEP_VARIANTS)

    def step(past, t, i):
        x_t = past[0].ddim(t)
        if len(past) == 1:
            return x_t
        lams = [t.lam, *(m.at.lam for m in past)]
        h, h_0, *older = (a - b for a, b in pairwise(lams))
        phi_1, phi_2, phi_3, _ = phi(kind.sign * h)
        m = [kind.m(p) for p in past]
        if len(past) == 2:
            weight = phi_1 / 2 if variant == "dpmsolver" else phi_2
            return x_t - (kind.c(t) * weight * h / h_0) * (m[0] - m[1])
        D_1, D_2 = differences(h, h_0, *older, *m)
        # The program takes the second divided difference D_2 for the second
        # derivative, which is twice that.
        curve = 2 * phi_3 if variant == "exact" else phi_3
        return x_t - kind.c(t) * (phi_2 * D_1 + curve * D_2)

    return loops.multistep(
        layout,
        step,
        nfe=nfe,
        order=order,
        axis=LAM,
        lower_order_final=lower_order_final,
        denoise=denoise,
    )

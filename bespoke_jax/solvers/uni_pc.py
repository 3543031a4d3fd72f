"""UniPC: a unified predictor-corrector whose corrector costs no evaluation.

The prediction m at the predicted point serves the corrector of this step and the
predictor of the next. Zhao, Bai, Rao, Zhou and Lu, 2023, arXiv 2302.04867, algorithms
1 (UniC), 2 (UniP) and, on the data prediction, their appendix A.
"""

import math
from itertools import pairwise

import numpy as np

from bespoke_jax.core.checks import known
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers.exponential import DATA, NOISE, phi
from bespoke_jax.solvers.loops import check_order
from bespoke_jax.solvers.prediction import points_of, run


def unipc(
    schedule: Schedule,
    *,
    nfe: Count,
    order: int = 3,
    variant: str = "bh2",
    corrector: bool = True,
    prediction: str = "data",
    grid: GridLike = "log_snr",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    lower_order_final: bool = True,
    denoise: bool = False,
) -> Solver:
    """UniPC of order up to 3, one evaluation per step.

    With e = -h (data; c = alpha) or h (noise; c = sigma), past values m_-j at
    lambda + r_j h and D_j = (m_-j - m_0) / r_j, the predictor and the corrector are

        x_t = ddim - c_t B(e) sum_j rho_j D_j,   x_t^c = the same with D_t = m_t - m_0,

    rho from sum_j rho_j r_j^(i-1) = i! phi_{i+1}(e) / B(e). Solved exactly, B cancels:
    that is variant="vary_coeff", the integral of the polynomial through the values. The
    other variants take the limit rho = 1/2 where there is one value, so that they
    differ from it in the predictor of order 2 and the corrector of order 1 only, and
    from each other. There is no corrector after the last step. Order 1 without
    corrector (UniP-1) is DDIM.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations, one per step.
        order: 1, 2 or 3, the number of past predictions.
        variant: "bh1", B(e) = e; "bh2", B(e) = exp(e) - 1; or "vary_coeff", the
            paper's varying coefficients. (The authors' program has a corrector of
            first order under that name: it loses a row of its matrix.)
        corrector: False leaves UniP, the predictor alone.
        prediction: what is interpolated, "data" or "noise".
        grid: a name, a callable or nfe + 1 increasing times.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1]; the last step is DDIM where sigma is 0.
        lower_order_final: steps near the end are of order at most nfe - i.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: an argument out of range.
    """
    check_order(order, (1, 2, 3))
    known("variant", variant, ("bh1", "bh2", "vary_coeff"))
    known("prediction", prediction, ("data", "noise"))
    kind = DATA if prediction == "data" else NOISE
    path = points_of(Layout(schedule, grid, start, end), nfe)

    def recursion(predict, x):
        past, correction = [predict(path[0], x)], None
        for i, (s, t) in enumerate(pairwise(path)):
            usable = min(order, nfe - i) if lower_order_final else order
            h = t.lam - s.lam
            # Values at an infinite distance have no weight.
            older = past[1 : usable if math.isfinite(t.lam) else 1]
            older = [p for p in older if math.isfinite(p.at.lam)]
            m_0 = kind.m(past[0])
            r = [(p.at.lam - s.lam) / h for p in older]
            D = [(1 / r_j) * (kind.m(p) - m_0) for r_j, p in zip(r, older, strict=True)]

            x_t = past[0].ddim(t)
            if correction is not None:
                carried = t.sigma / s.sigma if kind is DATA else t.alpha / s.alpha
                x_t = x_t + carried * correction
            e = kind.sign * h
            B = e if variant == "bh1" else math.expm1(e)
            limit = variant != "vary_coeff"
            update = _combine(_weights(r, e, B, limit), D)
            if r:
                x_t = x_t - kind.c(t) * B * update
            if i == nfe - 1:
                return x_t
            m_t = predict(t, x_t)
            past, correction = [m_t, *past][:order], None
            if corrector and math.isfinite(h):
                rho, last = _weights([*r, 1.0], e, B, limit), kind.m(m_t) - m_0
                change = _combine(rho, [*D, last]) - update
                correction = -(kind.c(t) * B) * change
        return x

    return run(schedule, recursion, last=path[-1], denoise=denoise)


def _combine(weights: np.ndarray, terms: list[Linear]) -> Linear:
    """sum_j w_j D_j."""
    total = Linear([])
    for w, term in zip(weights, terms, strict=True):
        total = total + w * term
    return total


def _weights(r: list[float], e: float, B: float, limit: bool) -> np.ndarray:
    """rho for nodes r; with `limit`, a single node takes its limit 1/2 for e -> 0."""
    if len(r) < 2 and limit:
        return np.full(len(r), 0.5)
    i = np.arange(1, len(r) + 1)
    b = [math.factorial(k) * phi(e)[k] / B for k in i]
    return np.linalg.solve(np.asarray(r)[None] ** (i[:, None] - 1), b)

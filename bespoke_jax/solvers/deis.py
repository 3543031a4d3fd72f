"""DEIS: exact integrals of a polynomial through the last noise predictions.

With tau = sigma / alpha the exact solution is x_t = alpha_t (x_s / alpha_s + int eps
dtau) from tau_s to tau_t. DEIS puts eps = sum_j l_j eps_j with the Lagrange polynomials
l_j through the last times, and integrates: in time (tAB) or in tau (rhoAB, plain
Adams-Bashforth). Zhang and Chen, 2022, arXiv 2204.13902, equations 14 and 15 and
section 3.3. Order r uses r + 1 predictions; r = 0 is DDIM.

The integrals are computed on the host by Gauss-Legendre quadrature to rounding (the
authors' program sums 10,000 points, which costs it up to 4e-3 of the sample).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bespoke_jax.core.checks import known
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.schedules import joints, on_host
from bespoke_jax.solvers.loops import check_order, multistep
from bespoke_jax.solvers.pndm import ipndm_v
from bespoke_jax.solvers.prediction import LAM, TIME, Point

_PANEL = 0.25
"""Longest panel of the quadrature, in half log-SNR."""
_DEEP = 40.0
"""Half log-SNR at which int dtau = exp(-lambda) is below rounding."""
_X, _W = np.polynomial.legendre.leggauss(16)


def deis_tab(
    schedule: Schedule,
    *,
    nfe: Count,
    order: int = 3,
    variant: str = "time",
    grid: GridLike = "quadratic",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    lower_order_final: bool = False,
    denoise: bool = False,
) -> Solver:
    """DEIS-tAB: the polynomial is one in the schedule's time.

    x_t = ddim + alpha_t sum_{j>0} C_j (eps_-j - eps_0), C_j = int l_j dtau. The first
    steps use the predictions there are, so that orders above 1 start with an error of
    order 2.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations, one per step.
        order: 0 (DDIM) to 3, the degree of the polynomial.
        variant: "time", or "log_snr": a polynomial in log(tau), as in diffusers.
        grid: a name, a callable or nfe + 1 increasing times; "quadratic" is the
            paper's.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1].
        lower_order_final: the last steps use at most nfe - i predictions.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: an argument out of range.
    """
    check_order(order, (0, 1, 2, 3))
    known("variant", variant, ("time", "log_snr"))
    axis = TIME if variant == "time" else LAM

    def step(past, t, i):
        m_0, x_t = past[0], past[0].ddim(t)
        if len(past) == 1:
            return x_t
        nodes = [axis.value(m.at) for m in past]
        C = _integrals(schedule, nodes, m_0.at, t, axis is TIME)
        for C_j, m in zip(C[1:], past[1:], strict=True):
            x_t = x_t + (t.alpha * C_j) * (m.eps - m_0.eps)
        return x_t

    return multistep(
        Layout(schedule, grid, start, end),
        step,
        nfe=nfe,
        order=order + 1,
        axis=axis,
        lower_order_final=lower_order_final,
        denoise=denoise,
    )


def deis_rho_ab(
    schedule: Schedule,
    *,
    nfe: Count,
    order: int = 3,
    grid: GridLike = "edm",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    denoise: bool = False,
) -> Solver:
    """DEIS-rhoAB: the polynomial is one in tau, hence plain Adams-Bashforth there.

    Equals `ipndm_v` of order + 1. Other arguments and errors as `deis_tab`.
    """
    check_order(order, (0, 1, 2, 3))
    return ipndm_v(
        schedule,
        nfe=nfe,
        order=order + 1,
        grid=grid,
        start=start,
        end=end,
        denoise=denoise,
    )


def _integrals(
    schedule: Schedule, nodes: Sequence[float], s: Point, t: Point, in_time: bool
) -> np.ndarray:
    """int l_j dtau over [s, t] for the Lagrange polynomials of the nodes."""
    lam, d_tau = _quadrature(schedule, s, t)
    z = on_host(schedule.time_at_log_snr, lam) if in_time else lam
    basis = [
        np.prod([(z - b) / (a - b) for k, b in enumerate(nodes) if k != j], axis=0)
        for j, a in enumerate(nodes)
    ]
    return np.array([np.sum(d_tau * l) for l in basis])


def _quadrature(
    schedule: Schedule, s: Point, t: Point
) -> tuple[np.ndarray, np.ndarray]:
    """Abscissae in lambda and weights of dtau = -exp(-lambda) d lambda."""
    last = min(t.lam, s.lam + _DEEP)
    panels = np.linspace(s.lam, last, 1 + int(np.ceil((last - s.lam) / _PANEL)))
    # No panel across a joint of a path in pieces.
    at = on_host(schedule.log_snr, joints(schedule))
    panels = np.union1d(panels, at[(at > s.lam) & (at < last)])
    lam, d_tau = [], []
    for a, b in pairwise(panels):
        x = (a + b) / 2 + (b - a) / 2 * _X
        lam.append(x)
        d_tau.append(-(b - a) / 2 * _W * np.exp(-x))
    return np.concatenate(lam), np.concatenate(d_tau)

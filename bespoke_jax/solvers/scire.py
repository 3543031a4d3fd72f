"""SciRE-Solver: Taylor steps in sigma / alpha with recursive-difference derivatives.

Li, Chen and Zeng, 2023, arXiv 2308.07896: algorithm 1 (V1-2), algorithm 2 (V1-3), their
V2 twins on the data prediction, the multistep forms of the authors' program, and the
exponential-integrator twin SciREI-2.

The derivative's divisor `phi` decides the order: 1 ("fd") keeps it, any other constant
makes every method of first order (theorem 3.2 of the paper holds with order k - 1 for
k = 2, not for k = 3), with an error 1 - 1 / phi times DDIM's at equal steps. So:

- phi="rd" (phi_1(3) = 2/3) and "rd_inf" (1 - 1/e) are the paper's, "official" the list
  over the steps in the authors' program; stage="paper" goes with them.
- phi="fd" is the order-preserving setting; three-stage methods need stage="taylor" with
  it to be of order 3.

Common arguments:

- `nfe`, evaluations to spend; `mode` "fixed" (as many whole steps as nfe pays for),
  "agile" (all of nfe, lower orders at the end) or "multistep" (the m method of the same
  name).
- `r1`, `r2`, places of the stages in sigma / alpha (V2: in alpha / sigma); or
  r1="inner", where a grid of the same name has them, an explicit grid then listing all
  nfe + 1 times; or, with two stages, r1="geometric", the geometric mean with the weight
  of r1 = 1/2 (V1-2 with phi=1 is then DPM-Solver-2).
- `grid`, a name, a callable or times (the outer ones for singlestep methods), and `k`,
  the parameter of the NSR grid, 3.1 in the paper; `start` and `end`, the times of the
  first state and of the sample.
- `denoise` returns the data prediction at the end, for one more evaluation. V1 uses no
  data prediction; thresholding belongs to the field (`bespoke_jax.fields.threshold`).

All raise ValueError for an argument out of range.
"""

from typing import Any

from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.solvers import _scire, _steps
from bespoke_jax.solvers._exponential import lam
from bespoke_jax.solvers._exponential import phi as exponential_phi
from bespoke_jax.solvers._scire import V1, V2
from bespoke_jax.solvers._steps import Layout, budget
from bespoke_jax.solvers.scire_multistep import (
    scire_v1_2m,
    scire_v1_3m,
    scire_v2_2m,
    scire_v2_3m,
)


def scire_v1_2(
    schedule: Any,
    *,
    nfe: Count,
    mode: str = "fixed",
    phi: str | float | int = "rd",
    r1: float | int | str = 0.5,
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    denoise: bool = False,
) -> Solver:
    """SciRE-V1-2, two evaluations a step; with y = x / alpha, tau = sigma / alpha:

    y_1 = y + r1 h eps_s,   y_t = y + h eps_s + h / (2 phi r1) (eps_1 - eps_s).

    Algorithm 1. Order 1 for phi other than 1, order 2 for phi="fd", which with
    r1 = 1/2 is the explicit midpoint rule in tau.

    Arguments and errors as described in `bespoke_jax.solvers.scire`.
    """
    if mode == "multistep":
        return scire_v1_2m(
            schedule,
            nfe=nfe,
            phi=phi,
            grid=grid,
            k=k,
            start=start,
            end=end,
            denoise=denoise,
        )
    return _scire.singlestep(
        V1,
        2,
        Layout(schedule, grid, start, end, k),
        nfe=nfe,
        mode=mode,
        phi=phi,
        r1=r1,
        r2=2 / 3,
        stage="paper",
        denoise=denoise,
    )


def scire_v1_3(
    schedule: Any,
    *,
    nfe: Count,
    mode: str = "fixed",
    phi: str | float | int = "rd",
    r1: float | int | str = 1 / 3,
    r2: float | int = 2 / 3,
    stage: str = "paper",
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    denoise: bool = False,
) -> Solver:
    """SciRE-V1-3, three evaluations a step, in y = x / alpha and tau = sigma / alpha:

    y_2 = y + r2 h eps_s + a h (eps_1 - eps_s), a = r2 / (2 r1 phi),
    y_t = y + h eps_s + h / (2 phi r2) (eps_2 - eps_s).

    Algorithm 2. stage="taylor" has a = r2^2 / (2 r1 phi). Order 1 for phi other than
    1; with phi="fd" order 2, and 3 (Heun's third-order rule) with stage="taylor".

    Arguments and errors as described in `bespoke_jax.solvers.scire`.
    """
    if mode == "multistep":
        return scire_v1_3m(
            schedule,
            nfe=nfe,
            phi=phi,
            grid=grid,
            k=k,
            start=start,
            end=end,
            denoise=denoise,
        )
    return _scire.singlestep(
        V1,
        3,
        Layout(schedule, grid, start, end, k),
        nfe=nfe,
        mode=mode,
        phi=phi,
        r1=r1,
        r2=r2,
        stage=stage,
        denoise=denoise,
    )


def scire_v2_2(
    schedule: Any,
    *,
    nfe: Count,
    mode: str = "fixed",
    phi: str | float | int = "rd",
    r1: float | int | str = 0.5,
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    denoise: bool = False,
) -> Solver:
    """SciRE-V2-2: V1-2 on the data prediction, z = x / sigma and w = alpha / sigma.

    Order 1 for phi other than 1, order 2 for phi="fd".

    Arguments and errors as described in `bespoke_jax.solvers.scire`.
    """
    if mode == "multistep":
        return scire_v2_2m(
            schedule,
            nfe=nfe,
            phi=phi,
            grid=grid,
            k=k,
            start=start,
            end=end,
            denoise=denoise,
        )
    return _scire.singlestep(
        V2,
        2,
        Layout(schedule, grid, start, end, k),
        nfe=nfe,
        mode=mode,
        phi=phi,
        r1=r1,
        r2=2 / 3,
        stage="paper",
        denoise=denoise,
    )


def scire_v2_3(
    schedule: Any,
    *,
    nfe: Count,
    mode: str = "fixed",
    phi: str | float | int = "rd",
    r1: float | int | str = 1 / 3,
    r2: float | int = 2 / 3,
    stage: str = "paper",
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    denoise: bool = False,
) -> Solver:
    """SciRE-V2-3: V1-3 on the data prediction, z = x / sigma and w = alpha / sigma.

    Order 1 for phi other than 1; with phi="fd" order 2, and 3 with stage="taylor".

    Arguments and errors as described in `bespoke_jax.solvers.scire`.
    """
    if mode == "multistep":
        return scire_v2_3m(
            schedule,
            nfe=nfe,
            phi=phi,
            grid=grid,
            k=k,
            start=start,
            end=end,
            denoise=denoise,
        )
    return _scire.singlestep(
        V2,
        3,
        Layout(schedule, grid, start, end, k),
        nfe=nfe,
        mode=mode,
        phi=phi,
        r1=r1,
        r2=r2,
        stage=stage,
        denoise=denoise,
    )


def scirei_2(
    schedule: Any,
    *,
    nfe: Count,
    phi: str | float | int = "rd",
    r1: float | int | str = 0.5,
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    denoise: bool = False,
) -> Solver:
    """SciREI-2: recursive difference within the exponential integrator in lambda.

    With h = lambda_t - lambda_s, s1 = t(lambda_s + r1 h) and D = eps_1 - eps_s,

        x_t = ddim - sigma_t (e^h - 1 - h) / (r1 phi h) D.

    Two evaluations a step, nfe // 2 steps. Order 1 for phi other than 1, else 2.
    Arguments and errors as described in `bespoke_jax.solvers.scire`.
    """
    phi_1 = _scire.singlestep_phi(phi, nfe, 2)

    layout = Layout(schedule, grid, start, end, k)

    def step(predict, x, path, j):
        s, s1, t = path
        h = t.lam - s.lam
        e_s = predict(s, x)
        D = predict(s1, e_s.ddim(s1)).eps - e_s.eps
        weight = exponential_phi(h)[1] * h / ((s1.lam - s.lam) * phi_1(j))
        return e_s.ddim(t) - (t.sigma * weight) * D

    return _steps.singlestep(
        layout,
        step,
        orders=budget(nfe, 2, "fixed"),
        coordinate=lam,
        at=layout.at_log_snr,
        ratios=_scire.ratios(r1, 2 / 3, 2),
        denoise=denoise,
    )

"""DPM-Solver++: exponential integrators on the data prediction.

With h = lambda_t - lambda_s and lambda half of the log-SNR the exact solution is

    x_t = sigma_t / sigma_s x_s + sigma_t int exp(lambda) x_1 d lambda.

Lu, Zhou, Bao, Chen, Li and Zhu, 2022, arXiv 2211.01095: algorithm 1 (2S), algorithm 2
(2M); 3S and 3M are those of the authors' program. `variant` is that program's
solver_type: "dpmsolver" as in the paper ("midpoint" elsewhere), "taylor" with the exact
integral of the line ("heun" elsewhere).

Grids, `start`, `end` and `denoise` as in `bespoke_jax.solvers.dpm_solver`.
Thresholding of the data prediction belongs to the field:
`bespoke_jax.fields.threshold`.
"""

from functools import partial
from typing import Any

from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.solvers import _exponential
from bespoke_jax.solvers._exponential import DATA
from bespoke_jax.solvers._steps import Layout, budget

_singlestep = partial(_exponential.singlestep, DATA)
_multistep = partial(_exponential.multistep, DATA)


def dpm_solver_pp_2s(
    schedule: Any,
    *,
    nfe: Count,
    mode: str = "fixed",
    grid: Any = "log_snr",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    r1: float | int | str = 0.5,
    variant: str = "dpmsolver",
    denoise: bool = False,
) -> Solver:
    """DPM-Solver++(2S), singlestep: two evaluations a step.

    s1 = t(lambda_s + r1 h), x_s1 by DDIM, and with D = x_1(s1, x_s1) - x_1(s, x_s)

        x_t = ddim + alpha_t (1 - e^-h) / (2 r1) D.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations to spend.
        mode: "fixed", nfe // 2 steps of order 2; or "agile", which spends an odd last
            evaluation on a first-order step.
        grid: a name, a callable or the outer times.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1].
        r1: place of s1 inside a step, in (0, 1), or "inner": where a grid of the same
            name has it; an explicit grid then lists all nfe + 1 times.
        variant: "dpmsolver", or "taylor" with D weighted by phi_2(-h) / r1.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: an argument out of range.
    """
    orders = budget(nfe, 2, mode)
    return _singlestep(
        Layout(schedule, grid, start, end), orders, r1, 2 / 3, variant, denoise
    )


def dpm_solver_pp_3s(
    schedule: Any,
    *,
    nfe: Count,
    mode: str = "fixed",
    grid: Any = "log_snr",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    r1: float | int | str = 1 / 3,
    r2: float | int = 2 / 3,
    variant: str = "dpmsolver",
    denoise: bool = False,
) -> Solver:
    """DPM-Solver++(3S), singlestep: three evaluations a step.

    The stages of `dpm_solver_3` on the data prediction; mode "agile" splits nfe like
    `dpm_solver_fast`, with r1 = 1/2 in its second-order step unless r1 is "inner".
    Other arguments and errors as `dpm_solver_pp_2s`.
    """
    orders = budget(nfe, 3, mode)
    paper = mode == "agile" and (r1, r2) == (1 / 3, 2 / 3)
    return _singlestep(
        Layout(schedule, grid, start, end),
        orders,
        "paper" if paper else r1,
        r2,
        variant,
        denoise,
    )


def dpm_solver_pp_2m(
    schedule: Any,
    *,
    nfe: Count,
    grid: Any = "log_snr",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    variant: str = "dpmsolver",
    lower_order_final: bool = True,
    denoise: bool = False,
) -> Solver:
    """DPM-Solver++(2M), two-step: one evaluation a step.

    x_t = ddim + alpha_t (1 - e^-h) / 2 D with D = (x_1,0 - x_1,-1) h / h_0. The first
    step is DDIM.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations, one a step.
        grid: a name, a callable or nfe + 1 increasing times.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1]; the last step is DDIM where sigma is 0.
        variant: "dpmsolver", or "taylor" with D weighted by phi_2(-h).
        lower_order_final: the last step is DDIM (and the last but one two-step, for
            three-step methods), which steadies large last steps. The authors' program
            does so for nfe < 10 only, diffusers for nfe < 15.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: an argument out of range.
    """
    return _multistep(
        Layout(schedule, grid, start, end), 2, nfe, variant, lower_order_final, denoise
    )


def dpm_solver_pp_3m(
    schedule: Any,
    *,
    nfe: Count,
    grid: Any = "log_snr",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    variant: str = "dpmsolver",
    lower_order_final: bool = True,
    denoise: bool = False,
) -> Solver:
    """DPM-Solver++(3M), three-step: one evaluation a step.

    x_t = ddim - alpha_t (phi_2(-h) D_1 + phi_3(-h) D_2), D_1 the slope of the parabola
    through the three predictions and D_2 their second divided difference, after DDIM
    and 2M as the first steps. D_2 is half of the curvature, so that the authors'
    program, and diffusers and k-diffusion with it, have order 2.

    Args:
        variant: "dpmsolver" or "taylor", which differ in the two-step steps; "exact"
            integrates the parabola (2 D_2) and has order 3, as in azula.

    Other arguments and errors as `dpm_solver_pp_2m`.
    """
    return _multistep(
        Layout(schedule, grid, start, end), 3, nfe, variant, lower_order_final, denoise
    )

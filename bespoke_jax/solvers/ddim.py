"""DDIM, the first-order solver that all diffusion solvers share.

Song, Meng and Ermon, 2020, arXiv 2010.02502, equation 12 with eta = 0.
"""

from typing import Any

from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.solvers._steps import Layout, multistep


def ddim(
    schedule: Any,
    *,
    nfe: Count,
    grid: Any = "uniform",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    denoise: bool = False,
) -> Solver:
    """DDIM without noise: x_t = alpha_t x_1(s, x_s) + sigma_t eps(s, x_s).

    Exact where x_1 and eps are constant along the path. Equals Euler in sigma / alpha,
    Euler on CondOT whatever the schedule, and the first-order DPM-Solver,
    DPM-Solver++, UniP, DEIS, SciRE and EDM-Euler.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations, one a step.
        grid: a name, a callable or nfe + 1 increasing times; see `grids.resolve`. A
            noise grid (log_snr, nsr, edm) counts from log(alpha / sigma) = -5.1 where
            alpha(0) = 0 and to 5.1 where sigma(end) = 0, its end points being moved.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1]; an explicit grid has its own.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: nfe, grid, start or end out of range.
    """
    return multistep(
        Layout(schedule, grid, start, end),
        lambda past, t, i: past[0].ddim(t),
        nfe=nfe,
        order=1,
        coordinate=lambda p: p.t,
        denoise=denoise,
    )

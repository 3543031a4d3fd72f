"""DDIM, the first-order solver that all diffusion solvers share, under its three names.

Song, Meng and Ermon, 2020, arXiv 2010.02502, equation 12 with eta = 0.
"""

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers.loops import multistep
from bespoke_jax.solvers.naming import named
from bespoke_jax.solvers.prediction import TIME


def _first_order(name: str, default: str, doc: str):
    def solver(
        schedule: Schedule,
        *,
        nfe: Count,
        grid: GridLike = default,
        start: Number = 0.0,
        end: Number = 1 - 1e-3,
        denoise: bool = False,
    ) -> Solver:
        return multistep(
            Layout(schedule, grid, start, end),
            lambda past, t, i: past[0].ddim(t),
            nfe=nfe,
            order=1,
            axis=TIME,
            denoise=denoise,
        )

    return named(solver, name, doc)


ddim = _first_order(
    "ddim",
    "uniform",
    """DDIM without noise: x_t = alpha_t x_1(s, x_s) + sigma_t eps(s, x_s).

    Exact where x_1 and eps are constant along the path. Equals Euler in sigma / alpha,
    Euler on CondOT whatever the schedule, and the first-order DPM-Solver,
    DPM-Solver++, UniP, DEIS, SciRE and EDM-Euler.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations, one per step.
        grid: a name, a callable or nfe + 1 increasing times; see `grids.resolve`. A
            noise grid (log_snr, nsr, edm) counts from log(alpha / sigma) = -5.1 where
            alpha(0) = 0 and to 5.1 where sigma(end) = 0, and its end points are moved
            to `start` and `end`.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1]; an explicit grid has its own.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: nfe, grid, start or end out of range.
    """,
)
dpm_solver_1 = _first_order(
    "dpm_solver_1",
    "log_snr",
    """DPM-Solver-1: alpha_t/alpha_s x - sigma_t (e^h - 1) eps; the same as `ddim`.

    Lu et al., 2022, arXiv 2206.00927, equation 3.7. Arguments and errors as `ddim`.
    """,
)
edm_euler = _first_order(
    "edm_euler",
    "edm",
    """Euler in sigma / alpha at the noise levels of EDM; the same step as `ddim`.

    Karras et al., 2022, arXiv 2206.00364, equation 5. Arguments and errors as `ddim`.
    """,
)

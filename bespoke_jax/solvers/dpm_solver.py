"""DPM-Solver: exponential integrators on the noise prediction, in lambda = log-SNR / 2.

With h = lambda_t - lambda_s the exact solution is

    x_t = alpha_t / alpha_s x_s - alpha_t int exp(-lambda) eps d lambda.

Lu, Zhou, Bao, Chen, Li and Zhu, 2022, arXiv 2206.00927: algorithms 1 and 2
(DPM-Solver-2 and -3), section 3.4 (DPM-Solver-fast); the multistep forms are those of
the authors' program. `variant` is that program's solver_type: "dpmsolver" as in the
paper, "taylor" with the exact integrals of the Taylor polynomial. DPM-Solver-1 is DDIM
and stands with it in `first_order`.

Every constructor takes a grid as a name, a callable or increasing times (outer times
for singlestep methods). A noise grid (log_snr, nsr, edm) counts from lambda = -5.1
where alpha(0) = 0 and to 5.1 where sigma(end) = 0, and its end points are moved to
`start` and `end`. A solver goes from `start`, the time of its first state, to `end`,
that of the sample, 0 <= start < end <= 1, unless the grid is explicit. `denoise`
returns the data prediction at the end, for one more evaluation. Steps from or to an
infinite lambda (t=0 of CondOT, t=1) consist of first-order steps.
"""

from bespoke_jax.core.checks import known
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers import dpm_constructors, exponential
from bespoke_jax.solvers.exponential import NOISE
from bespoke_jax.solvers.loops import budget, check_order

dpm_solver_2 = dpm_constructors.two_stage(
    NOISE,
    "dpm_solver_2",
    """DPM-Solver-2, singlestep: two evaluations per step.

    s1 = t(lambda_s + r1 h), x_s1 by DDIM, and with D = eps(s1, x_s1) - eps(s, x_s)

        x_t = ddim - sigma_t (e^h - 1) / (2 r1) D.

    Lu et al., 2022, arXiv 2206.00927, algorithm 1.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations to spend.
        mode: "fixed", nfe // 2 steps of order 2; or "agile", which spends an odd last
            evaluation on a first-order step.
        grid: a name, a callable or the outer times.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1].
        r1: place of s1 inside a step, in (0, 1), or "inner": where a grid of the same
            name has it; an explicit grid then lists all times.
        variant: "dpmsolver", or "taylor" with D weighted by phi_2(h) / r1.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: an argument out of range.
    """,
)
dpm_solver_3 = dpm_constructors.three_stage(
    NOISE,
    "dpm_solver_3",
    """DPM-Solver-3, singlestep: three evaluations per step.

    With D_j = eps(s_j, x_sj) - eps(s, x_s) and phi_2(h) = (e^h - 1) / h - 1,

        x_s2 = ddim - sigma_s2 r2 / r1 phi_2(r2 h) D_1,
        x_t = ddim - sigma_t / r2 phi_2(h) D_2.

    Lu et al., 2022, arXiv 2206.00927, algorithm 2. Arguments and errors as
    `dpm_solver_2`, with different r1 and r2 in (0, 1); "agile" ends with steps of lower
    order, whose r1 is 1/2 unless the places are given.
    """,
)
dpm_solver_2m = dpm_constructors.multistep(
    NOISE,
    2,
    "dpm_solver_2m",
    """Two-step DPM-Solver on the noise prediction, as in the authors' program.

    x_t = ddim - sigma_t (e^h - 1) / 2 D with D = (eps_0 - eps_-1) h / h_0. Arguments
    and errors as `dpm_solver_pp_2m`.
    """,
)
dpm_solver_3m = dpm_constructors.multistep(
    NOISE,
    3,
    "dpm_solver_3m",
    """Three-step DPM-Solver on the noise prediction, as in the authors' program.

    x_t = ddim - sigma_t (phi_2(h) D_1 + phi_3(h) D_2), D_2 the second divided
    difference. That halves the curvature, hence order 2; variant="exact" doubles D_2
    and has order 3. Arguments and errors as `dpm_solver_pp_3m`.
    """,
)


def dpm_solver_fast(
    schedule: Schedule,
    *,
    nfe: Count,
    order: int = 3,
    grid: GridLike = "log_snr",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    r1: str = "paper",
    variant: str = "dpmsolver",
    denoise: bool = False,
) -> Solver:
    """DPM-Solver-fast: exactly nfe evaluations in steps of order up to 3 (or 2).

    nfe = 3 K: K - 1 steps of order 3, one of 2, one of 1; otherwise steps of order 3
    and one of order nfe mod 3 (order=2: likewise). The same as mode "agile" of
    `dpm_solver_3` (of `dpm_solver_2`). Lu et al., 2022, arXiv 2206.00927, section 3.4.

    Args:
        order: 2 or 3, the order of all but the last steps.
        r1: "paper" (1/2, and 1/3 with 2/3), or "inner" as in `dpm_solver_2`.

    Other arguments and errors as `dpm_solver_2`.
    """
    check_order(order, (2, 3))
    known("r1", r1, ("paper", "inner"))
    return exponential.singlestep(
        NOISE,
        Layout(schedule, grid, start, end),
        budget(nfe, order, "agile"),
        dpm_constructors.PAPER if r1 == "paper" else None,
        variant,
        denoise,
    )

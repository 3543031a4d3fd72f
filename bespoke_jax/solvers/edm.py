"""The deterministic samplers of EDM, Runge-Kutta in tau = sigma / alpha.

With y = x / alpha the ODE is dy/dtau = eps(x). Karras, Aittala, Aila and Laine, 2022,
arXiv 2206.00364, algorithm 1 (Heun) and, for DPM-2, the second-order DPM-Solver at the
noise levels of equation 5 (as in k-diffusion's sample_dpm_2). EDM-Euler is DDIM and
stands with it in `first_order`.

Any schedule will do: steps are written for x_t = alpha_t y. Steps from an infinite tau
(t=0 of CondOT) consist of DDIM steps.
"""

from bespoke_jax.core.checks import real
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers import exponential
from bespoke_jax.solvers.exponential import NOISE
from bespoke_jax.solvers.loops import Stages, budget, singlestep
from bespoke_jax.solvers.prediction import TAU


def edm_heun(
    schedule: Schedule,
    *,
    nfe: Count,
    grid: GridLike = "edm",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    denoise: bool = False,
) -> Solver:
    """The trapezoid in tau: y_t = y + (tau_t - tau_s) (eps_s + eps_t) / 2.

    Two evaluations per step, the second at the predicted end point. Karras et al.,
    2022, arXiv 2206.00364, algorithm 1.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations; the last step of an odd number is an Euler step, as the paper
            has it for a step to sigma = 0.
        grid: a name, a callable or the (nfe + 1) // 2 + 1 step times.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1]; at sigma = 0 nfe must be odd unless the
            schedule's rates are finite there.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: an argument out of range, or an evaluation at sigma = 0 with
            infinite rates.
    """

    def step(predict, x, path, j):
        s, t = path[0], path[-1]
        e_s = predict(s, x)
        if len(path) == 2:
            return e_s.ddim(t)
        e_t = predict(t, e_s.ddim(t))
        h = t.tau - s.tau
        return e_s.ddim(t) + (t.alpha * h / 2) * (e_t.eps - e_s.eps)

    return singlestep(
        Layout(schedule, grid, start, end),
        step,
        orders=budget(nfe, 2, "agile"),
        stages=Stages(TAU, {2: (1.0,)}),
        denoise=denoise,
    )


def edm_dpm_2(
    schedule: Schedule,
    *,
    nfe: Count,
    grid: GridLike = "edm",
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    r1: float | int = 0.5,
    denoise: bool = False,
) -> Solver:
    """DPM-Solver-2 at EDM noise levels: the midpoint rule, its node geometric in sigma.

    sigma_m = sigma_s^(1 - r1) sigma_t^r1 and, for r1 = 1/2, y_t = y + h eps_m. An odd
    nfe ends with an Euler step. Equals `dpm_solver_2` with mode="agile" on the same
    grid. Other arguments and errors as `edm_heun`.
    """
    return exponential.singlestep(
        NOISE,
        Layout(schedule, grid, start, end),
        budget(nfe, 2, "agile"),
        {2: (real("r1", r1, above=0, below=1),)},
        "dpmsolver",
        denoise,
    )

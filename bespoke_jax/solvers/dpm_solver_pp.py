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

from bespoke_jax.solvers import dpm_constructors
from bespoke_jax.solvers.exponential import DATA

dpm_solver_pp_2s = dpm_constructors.two_stage(
    DATA,
    "dpm_solver_pp_2s",
    """DPM-Solver++(2S), singlestep: two evaluations per step.

    s1 = t(lambda_s + r1 h), x_s1 by DDIM, and with D = x_1(s1, x_s1) - x_1(s, x_s)

        x_t = ddim + alpha_t (1 - e^-h) / (2 r1) D.

    "taylor" weights D by phi_2(-h) / r1. Lu et al., 2022, arXiv 2211.01095,
    algorithm 1. Arguments and errors as `dpm_solver_2`.
    """,
)
dpm_solver_pp_3s = dpm_constructors.three_stage(
    DATA,
    "dpm_solver_pp_3s",
    """DPM-Solver++(3S), singlestep: three evaluations per step.

    The stages of `dpm_solver_3` on the data prediction, from the authors' program of
    arXiv 2211.01095 (Lu et al., 2022). Arguments and errors as `dpm_solver_3`.
    """,
)
dpm_solver_pp_2m = dpm_constructors.multistep(
    DATA,
    2,
    "dpm_solver_pp_2m",
    """DPM-Solver++(2M), two-step: one evaluation per step.

    x_t = ddim + alpha_t (1 - e^-h) / 2 D with D = (x_1,0 - x_1,-1) h / h_0. The first
    step is DDIM. Lu et al., 2022, arXiv 2211.01095, algorithm 2.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations, one per step.
        grid: a name, a callable or nfe + 1 increasing times.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1]; the last step is DDIM where sigma is 0.
        variant: "dpmsolver", or "taylor" with D weighted by phi_2(-h).
        lower_order_final: make the last step DDIM (and the last but one two-step, for
            three-step methods), which steadies large last steps. The authors' program
            does so for nfe < 10 only, diffusers for nfe < 15.
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: an argument out of range.
    """,
)
dpm_solver_pp_3m = dpm_constructors.multistep(
    DATA,
    3,
    "dpm_solver_pp_3m",
    """DPM-Solver++(3M), three-step: one evaluation per step.

    x_t = ddim - alpha_t (phi_2(-h) D_1 + phi_3(-h) D_2), D_1 the slope of the parabola
    through the three predictions and D_2 their second divided difference, after DDIM
    and 2M as the first steps. D_2 is half of the curvature, so that the authors'
    program, and diffusers and k-diffusion with it, have order 2.

    Args:
        variant: "dpmsolver" or "taylor", which differ in the two-step steps; "exact"
            integrates the parabola (2 D_2) and has order 3, as in azula.

    Other arguments and errors as `dpm_solver_pp_2m`.
    """,
)

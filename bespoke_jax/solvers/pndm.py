"""iPNDM: Adams-Bashforth on noise predictions along DDIM.

With tau = sigma / alpha, y = x / alpha and dy/dtau = eps, one step is
y_t = y + (tau_t - tau_s) sum_j w_j eps_{-j}. Liu, Ren, Lin and Zhao, 2022, arXiv
2202.09778 (PNDM, equations 9 and 12); improved in Zhang and Chen, 2022, arXiv
2204.13902, section 4 and appendix H, by starting with lower orders instead of
Runge-Kutta.

Grids, `start`, `end` and `denoise` as in `bespoke_jax.solvers.ddim`.
"""

from collections.abc import Callable, Sequence

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers import adams_weights
from bespoke_jax.solvers.loops import check_order, multistep
from bespoke_jax.solvers.naming import named
from bespoke_jax.solvers.prediction import TAU, TIME, Axis, Point, Prediction

Weights = Callable[[list[Prediction], Point], Sequence[float]]
"""The weights of the past predictions, newest first, in a step to a point."""


def _ipndm(axis: Axis, weights: Weights, name: str, doc: str):
    def solver(
        schedule: Schedule,
        *,
        nfe: Count,
        order: int = 4,
        grid: GridLike = "uniform",
        start: Number = 0.0,
        end: Number = 1 - 1e-3,
        denoise: bool = False,
    ) -> Solver:
        check_order(order, (1, 2, 3, 4))
        return multistep(
            Layout(schedule, grid, start, end),
            lambda past, t, i: _along_ddim(past, t, weights(past, t)),
            nfe=nfe,
            order=order,
            axis=axis,
            denoise=denoise,
        )

    return named(solver, name, doc)


def _along_ddim(past: list[Prediction], t: Point, weights: Sequence[float]) -> Linear:
    """y_t = y + h sum_j w_j eps_j, written around the DDIM step since sum_j w_j = 1."""
    m_0, x_t = past[0], past[0].ddim(t)
    for w, m in zip(weights[1:], past[1:], strict=True):
        x_t = x_t + (t.alpha * (t.tau - m_0.at.tau) * w) * (m.eps - m_0.eps)
    return x_t


def _variable_step(past: list[Prediction], t: Point) -> Sequence[float]:
    taus = [m.at.tau for m in past]
    return adams_weights.variable_step(taus, taus[0], t.tau).tolist()


ipndm = _ipndm(
    TIME,
    lambda past, t: adams_weights.CONSTANT[len(past)],
    "ipndm",
    """iPNDM with the weights of equal steps: 55, -59, 37, -9 over 24 and so on.

    The steps in tau are not equal, so that the order is 2 whatever `order` is above 1:
    a smooth grid has step ratios of 1 + O(h). Zhang and Chen, 2022, arXiv 2204.13902,
    appendix H.

    Args:
        schedule: the model's Gaussian path.
        nfe: evaluations, one per step.
        order: 1 (DDIM) to 4, the number of noise predictions.
        grid: a name, a callable or nfe + 1 increasing times.
        start: time of the first state, in [0, end); 0 is noise.
        end: time of the sample in (0, 1].
        denoise: return the data prediction at the end, for one more evaluation.

    Raises:
        ValueError: an argument out of range.
    """,
)
ipndm_v = _ipndm(
    TAU,
    _variable_step,
    "ipndm_v",
    """iPNDM with the exact Adams-Bashforth weights of the actual steps in tau.

    Equals `deis_rho_ab` of order - 1, and the linear multistep method of k-diffusion.
    Orders above 2 start with an error of order 2. Arguments and errors as `ipndm`.
    """,
)

"""Both predictions of one evaluation, for recursions written in x_1 and epsilon.

On the path x = alpha x_1 + sigma x_0 a velocity u = alpha' x_1 + sigma' x_0 is

    x_1 = (sigma u - sigma' x) / W,   eps = (alpha' x - alpha u) / W,
    W = sigma alpha' - alpha sigma',

so each evaluation gives the data prediction x_1 and the noise prediction eps. The step

    x_t = alpha_t x_1 + sigma_t eps                                             (DDIM)

is what every diffusion solver adds its corrections to. Written so, rather than with
x / alpha or x / sigma, it stays finite where alpha = 0 (t=0 of CondOT, Cosine and
CosineVP) and where sigma = 0 (t=1).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear, trace
from bespoke_jax.schedules import on_host
from bespoke_jax.schedules.endpoints import Endpoints


class Point(NamedTuple):
    """A time with its path values and rates, Python floats on the host."""

    t: float
    alpha: float
    sigma: float
    tau: float
    """The noise-to-signal ratio sigma / alpha, inf where alpha = 0."""
    lam: float
    """Half log-SNR log(alpha / sigma) = -log(tau), infinite at pure noise or data."""
    d_alpha: float
    d_sigma: float


class Prediction(NamedTuple):
    """The data and noise prediction of one evaluation."""

    at: Point
    x1: Linear
    eps: Linear

    def ddim(self, t: Point) -> Linear:
        """First order to t: alpha_t x_1 + sigma_t eps."""
        return t.alpha * self.x1 + t.sigma * self.eps


Predict = Callable[[Point, Linear], Prediction]


def points(schedule: Any, times: Any) -> list[Point]:
    """The path values at host times, all in one call of the schedule."""
    checks.schedule("schedule", schedule)
    t = np.asarray(times, np.float64)
    methods = (schedule, schedule.nsr, schedule.log_snr, schedule.rates)
    (alpha, sigma), tau, lam, rates = (on_host(method, t) for method in methods)
    columns = np.stack([t, alpha, sigma, tau, lam, *rates], axis=-1)
    return [Point(*row) for row in columns.tolist()]


def run(
    schedule: Any,
    recursion: Callable[[Predict, Linear], Linear],
    *,
    last: Point,
    denoise: bool,
) -> Solver:
    """Trace `recursion(predict, x) -> x`, which ends at `last`.

    With `denoise`, one more evaluation replaces the sample by its data prediction, a
    sample at t=1.

    Raises:
        ValueError: an evaluation where a rate of the schedule is infinite.
    """

    def traced(u, x):
        def predict(s: Point, x: Linear) -> Prediction:
            path = Endpoints(s.alpha, s.sigma, s.d_alpha, s.d_sigma)
            if not (math.isfinite(path.W) and path.W > 0):
                advice = "start later" if s.t < 0.5 else "end earlier (end=1 - 1e-3)"
                raise ValueError(
                    f"noise and data cannot be told apart at t = {s.t}, where "
                    f"{type(schedule).__name__} has alpha' = {s.d_alpha:.4g}, sigma' = "
                    f"{s.d_sigma:.4g}; {advice}."
                )
            v = u(s.t, x)
            return Prediction(s, path.data(x, v), path.noise(x, v))

        x = recursion(predict, x)
        return predict(last, x).x1 if denoise else x

    return trace(traced, end=1.0 if denoise else last.t)

"""Both predictions of one evaluation, for recursions written in x_1 and epsilon.

Every evaluation gives the data prediction x_1 and the noise prediction eps (see
`core.endpoints`). The step

    x_t = alpha_t x_1 + sigma_t eps                                             (DDIM)

is what every diffusion solver adds its corrections to. Written so, rather than with
x / alpha or x / sigma, it stays finite where alpha = 0 (t=0 of CondOT, Cosine and
CosineVP) and where sigma = 0 (t=1).
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.core.endpoints import Endpoints
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.tracing import Linear, trace
from bespoke_jax.core.types import Count
from bespoke_jax.grids import Layout
from bespoke_jax.schedules import on_host


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


class Axis(NamedTuple):
    """A variable in which a method interpolates, and its inverse to a time."""

    value: Callable[[Point], float]
    time: Callable[[Schedule, float], float]


def inverse(value: float) -> float:
    """1 / value, infinite at 0."""
    return 1 / value if value else math.inf


TIME = Axis(lambda p: p.t, lambda schedule, t: t)
LAM = Axis(
    lambda p: p.lam, lambda schedule, lam: float(on_host(schedule.time_at_log_snr, lam))
)
TAU = Axis(
    lambda p: p.tau, lambda schedule, tau: float(on_host(schedule.time_at_nsr, tau))
)
SNR = Axis(
    lambda p: inverse(p.tau),
    lambda schedule, w: TAU.time(schedule, inverse(w)),
)


def points(schedule: Schedule | None, times: object) -> list[Point]:
    """The path values at host times, all in one call of the schedule."""
    path = checks.schedule("schedule", schedule)
    t = np.asarray(times, np.float64)
    methods = (path, path.nsr, path.log_snr, path.rates)
    (alpha, sigma), tau, lam, rates = (on_host(method, t) for method in methods)
    columns = np.stack([t, alpha, sigma, tau, lam, *rates], axis=-1)
    return [Point(*row) for row in columns.tolist()]


def points_of(layout: Layout, n: Count) -> list[Point]:
    """The path values at the times of n steps, apart from each other."""
    return apart(points(layout.schedule, layout.times(n)))


def apart(path: list[Point]) -> list[Point]:
    """The points, if float64 tells their log-SNRs apart, by which methods divide."""
    for a, b in pairwise(path):
        if not a.lam < b.lam:
            raise ValueError(
                f"the times {a.t} and {b.t} have the same log-SNR to rounding; take "
                "fewer steps or times that are further apart"
            )
    return path


def run(
    schedule: Schedule | None,
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

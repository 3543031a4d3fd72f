"""The exact problems that certificates are measured on, in float64 on the host.

With one normal law as the data, the flow map is closed form. With several, it is solved
in the angle theta = atan(sigma / alpha), where the flow is smooth up to both ends:
z = x / sqrt(alpha^2 + sigma^2) has dz / dtheta = cos(theta) E[x_0] - sin(theta) E[x_1].
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.rows import advance
from bespoke_jax.core.solver import Solver
from bespoke_jax.fields.analytic import Mixture, posterior_means
from bespoke_jax.solvers import rk4

MIXTURE = Mixture(
    np.full(4, 0.25),
    np.array(
        [
            [-1.448, 1.699, -1.592],
            [1.38, 2.038, -2.178],
            [0.062, -1.027, -0.359],
            [0.21, 1.429, -0.213],
        ]
    ),
    np.array([0.309, 0.474, 0.628, 0.366]),
)
GAUSSIAN = Mixture(np.ones(1), np.array([[0.5, -0.3, 0.8]]), np.array([0.6]))
NOISE = np.array(
    [
        [2.044, 1.12, 0.16],
        [-0.522, 1.191, -1.057],
        [-1.309, -1.098, -0.224],
        [-0.433, -0.828, -0.484],
        [0.612, 0.028, 0.616],
        [0.922, -0.268, -1.194],
    ]
)
"""Initial states, before they are multiplied by sigma_0."""

Velocity = Callable[[int, np.ndarray], np.ndarray]
"""u(i, x): the velocity at the i-th time of a table."""


def run(u: Velocity, solver: Solver, x0: ArrayLike) -> np.ndarray:
    """All states (n + 1, *x0.shape) of a solve in float64.

    Args:
        u: the velocity at state x and time t_i.
        solver: the rows of (S).
        x0: the initial state.
    """
    t, a, p, q, _ = (np.asarray(leaf, np.float64) for leaf in solver)
    xs, us = [np.asarray(x0, np.float64)], []
    for i in range(len(t)):
        us.append(u(i, xs[i]))
        xs.append(advance(a[i], p[i], q[i], xs[0], xs, us))
    return np.stack(xs)


def end_point(
    mixture: Mixture, schedule: Schedule, x0: ArrayLike, end: float | int
) -> np.ndarray:
    """The exact flow of x0 (batch, d) from time 0 to `end`, to about 12 digits."""
    x0 = np.asarray(x0, np.float64)
    (a, sigma), (b, tau) = schedule(0.0), schedule(end)
    if len(mixture.w) == 1:
        mu, s = mixture.mu[0], mixture.s[0]
        return b * mu + np.hypot(b * s, tau) / np.hypot(a * s, sigma) * (x0 - a * mu)
    first, last = np.arctan2(sigma, a), np.arctan2(tau, b)
    table = rk4(steps=2048)
    theta = first + (last - first) * table.t
    path = (np.cos(theta), np.sin(theta))
    rates = (-path[1] * (last - first), path[0] * (last - first))
    z = run(_velocity(mixture, path, rates), table, x0 / np.hypot(a, sigma))
    return np.hypot(b, tau) * z[-1]


def end_error(mixture: Mixture, schedule: Schedule, solver: Solver) -> float:
    """RMS error of the sample made of `NOISE`, which is not finite if it diverges."""
    t = np.asarray(solver.t, np.float64)
    u = _velocity(mixture, schedule(t), schedule.rates(t))
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is an answer
        x = run(u, solver, schedule(0.0)[1] * NOISE)[-1]
        off = x - _exact(mixture is GAUSSIAN, schedule, float(solver.end))
        return float(np.sqrt(np.mean(off**2)))


@lru_cache
def _exact(gaussian: bool, schedule: Schedule, end: float) -> np.ndarray:
    x0 = schedule(0.0)[1] * NOISE
    return end_point(GAUSSIAN if gaussian else MIXTURE, schedule, x0, end)


def _velocity(
    mixture: Mixture,
    path: tuple[np.ndarray, np.ndarray],
    rates: tuple[np.ndarray, np.ndarray],
) -> Velocity:
    """alpha' E[x_1] + sigma' E[x_0], from alpha, sigma and their rates at all times."""
    (alpha, sigma), (d_alpha, d_sigma) = path, rates

    def u(i: int, x: np.ndarray) -> np.ndarray:
        x_1, x_0 = posterior_means(mixture, x, alpha[i], sigma[i])
        return np.asarray(d_alpha[i] * x_1 + d_sigma[i] * x_0)

    return u

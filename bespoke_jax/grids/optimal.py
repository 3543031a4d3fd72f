"""Steps chosen by dynamic programming among many times of exact paths.

With e_ij the error of one step of a rule from the exact state at t_i to t_j, relative
to the size of x(t_j), the least sum of n of them, from the start to t_j, is

    E_n(j) = min_{i < j} E_{n-1}(i) + e_ij,    E_1(j) = e_0j.

All e_ij follow from the states and velocities of dense paths, without an evaluation of
the network. Relative errors make the choice for DDIM the same on every scaling of a
path. What later steps do to an error, which most flows damp, is not seen.

Reference: Pei, Hu and Gu (2025), Optimal Stepsize for Diffusion Sampling (OSS), arXiv
2503.21774. Their program steps from the student's own states, evaluates the network n
times at each of the teacher's times, and compares squared errors of a single image; the
sum of errors from exact states is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bespoke_jax.core import checks, endpoints
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Arr, Count, Number
from bespoke_jax.grids.checks import Grid, close, span
from bespoke_jax.grids.density import check_within
from bespoke_jax.grids.lists import Times, explicit
from bespoke_jax.reference.paths import Paths, require_dense
from bespoke_jax.reference.products import products
from bespoke_jax.schedules import on_host

LEAST = 64
"""Intervals to choose among where no times are given, at least."""


@dataclass(frozen=True, eq=False)
class OptimalSteps:
    """The errors of single steps between the times of a teacher: a grid for every n.

    A `grid=` argument of any solver, as a `Profile`, between any two of its times.
    """

    times: Times
    """(M + 1,) times to choose among."""
    errors: np.ndarray
    """(M + 1, M + 1) mean RMS error of a step from i to j, by the RMS of x(t_j);
    infinite for j <= i."""

    def __call__(self, n: Count, end: Number = 1.0, *, start: Number = 0.0) -> Grid:
        """The n + 1 times from start to end whose steps have the least summed error.

        Raises ValueError for a start or end outside the paths, and for more steps than
        there are times to choose among.
        """
        start, end = span(start, end)
        check_within(self.times, start, end)
        first, last = (int(np.abs(self.times - t).argmin()) for t in (start, end))
        n = checks.whole("the steps n of a grid", n)
        if n > last - first:
            raise ValueError(
                f"{n} steps from t = {start:g} to {end:g} cannot be chosen among "
                f"{last - first} intervals; give optimal_steps more times."
            )
        errors = self.errors[first : last + 1, first : last + 1]
        chosen = self.times[first + cheapest(errors, n)]
        return close("optimal", chosen, start, end)

    def grid(self, nfe: Count) -> Times:
        """The nfe + 1 times from the start to the end of the paths."""
        return self(nfe, float(self.times[-1]), start=float(self.times[0]))


def optimal_steps(
    paths: Paths,
    *,
    schedule: Schedule | None = None,
    times: Arr | Sequence[float | int] | None = None,
) -> OptimalSteps:
    """Measure all single steps between times of dense paths, for grids of least error.

    Costs no evaluation of the network, and M^2 numbers of each sample on the host.

    Args:
        paths: ground truth with dense states; 16 to 64 paths are enough.
        schedule: path of the model: the rule is DDIM on it. None is Euler's method.
        times: (M + 1,) increasing times to choose among, from the start to the end of
            the paths; None takes the knots of the paths and, where these are fewer than
            64 intervals, equal parts of them.

    Returns:
        `OptimalSteps`: `.grid(nfe)` for every nfe up to M, or `grid=` of any solver.

    Raises:
        ValueError: paths without dense states, times of another interval, or a schedule
            that is singular at one of them.
    """
    require_dense(paths, "optimal_steps")
    t = _knots(paths) if times is None else explicit(times)
    check_within(_knots(paths), t[0], t[-1])
    m = len(t)
    A, B = _euler(t) if schedule is None else _ddim(schedule, t)
    upper = np.triu_indices(m, 1)
    errors = np.full((m, m), np.inf)
    errors[upper] = 0.0
    G = products(paths, t)
    for g in G:
        xx, xv, vv = g[:m, :m], g[:m, m:], g[m:, m:]
        x, v = np.diag(xx)[:, None], np.diag(vv)[:, None]
        # |x_j - A x_i - B v_i|^2
        square = (
            np.diag(xx)[None] + A**2 * x + B**2 * v
            + 2 * (A * B * np.diag(xv)[:, None] - A * xx - B * xv.T)
        )  # fmt: skip
        errors[upper] += np.sqrt(np.maximum(square[upper], 0.0)) / len(G)
    size = np.sqrt(G.mean(axis=0).diagonal()[:m])
    return OptimalSteps(t, errors / size)


def cheapest(errors: np.ndarray, n: int) -> np.ndarray:
    """The n + 1 indices from first to last with the least sum of n errors.

    Args:
        errors: (M + 1, M + 1) of the step from i to j; infinite for j <= i.
        n: steps, 1 to M.
    """
    best, froms = errors[0], []
    for _ in range(n - 1):
        sums = best[:, None] + errors
        froms.append(sums.argmin(axis=0))
        best = sums.min(axis=0)
    path = [len(errors) - 1]
    for before in reversed(froms):
        path.append(int(before[path[-1]]))
    return np.array([0, *reversed(path)])


def _knots(paths: Paths) -> np.ndarray:
    knots = np.asarray(paths.knots, np.float64)
    parts = -(-LEAST // (len(knots) - 1))
    places = np.arange(parts * (len(knots) - 1) + 1) / parts
    return np.interp(places, np.arange(len(knots)), knots)


def _euler(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A_ij and B_ij of x_j = A x_i + B v_i."""
    return np.ones((len(t), len(t))), t[None] - t[:, None]


def _ddim(schedule: Schedule, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of x_j = sigma_j / sigma_i x_i + (alpha_j - alpha_i sigma_j / sigma_i) D_i.

    D_i = (sigma_i v_i - sigma_i' x_i) / W_i is the data prediction; no step leaves the
    last time, where it may be infinite.
    """
    checks.schedule("schedule", schedule)
    node = on_host(partial(endpoints.at, schedule), t[:-1])
    if not np.isfinite(node.W).all() or not (node.sigma > 0).all():
        raise ValueError("the schedule is singular at one of the times; end before it.")
    alpha, sigma = on_host(schedule, t)
    ratio = sigma[None] / node.sigma[:, None]
    gain = alpha[None] - node.alpha[:, None] * ratio
    A = ratio - gain * (node.d_sigma / node.W)[:, None]
    B = gain * (node.sigma / node.W)[:, None]
    pad = lambda value: np.pad(value, ((0, 1), (0, 0)))
    return pad(A), pad(B)

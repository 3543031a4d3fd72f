"""Grids of any number of steps from one measurement of exact paths.

A profile is a density rho(t) along the paths, read from dense ground truth without an
evaluation of the network. Neighbours in its grid of n steps have equal shares of it:

    int_{t_i}^{t_{i+1}} rho dt = 1 / n int rho dt,    i = 0 .. n - 1.

A step of Euler's method from the exact path errs by h^2 |x''| / 2. With steps of length
h(t) = 1 / (n rho(t)) the errors sum up to int |x''| / (2 n rho) dt, which is least for
rho = |x''|^(1/2).

References: Gupta, Lim, Yu and Erichson (2026), Sharpen Your Flow (SharpEuler), arXiv
2605.11547; Zhou, Chen, Lyu, Chen and Wang (2026), Analyzing and Improving Training-Free
Fast Sampling of Text-to-Image Diffusion Models (TORS), arXiv 2603.00763.
"""

from dataclasses import dataclass

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.types import Arr, Count, Number
from bespoke_jax.grids.checks import Grid, close, ramp
from bespoke_jax.grids.lists import Times
from bespoke_jax.metrics.steps import curvature
from bespoke_jax.reference.paths import Paths, require_dense

POWERS = {"acceleration": 0.5, "rotation": 1.0}
"""The kinds of profiles, and the power of what they measure that is the density."""
_FLOOR = 1e-6
"""Share of the mean density that is added: where paths are straight, times go on."""
_NEAR = 1e-6
"""How far an end may lie outside the paths: float32 rounds theirs."""
_STRAIGHT = 1e-3
"""Turns, in radians, whose plane is rounding."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Where along its paths a field changes: a grid for every number of steps.

    It is a `grid=` argument of any solver (`resolve` calls it), at any number of steps,
    and on any part of the interval of its paths.
    """

    kind: str
    """What was measured."""
    times: Times
    """(K + 1,) knots of the paths."""
    share: Times
    """(K + 1,) the share of int rho dt before each of them, from 0 to 1."""

    def __call__(self, n: Count, end: Number = 1.0, *, start: Number = 0.0) -> Grid:
        """The n + 1 times from start to end that share the density equally.

        Raises ValueError for a bad n, or a start or end outside the measured paths.
        """
        steps, start, end = ramp(n, start, end)
        check_within(self.times, start, end)
        a, b = np.interp([start, end], self.times, self.share)
        times = np.interp(a + (b - a) * steps, self.share, self.times)
        return close(self.kind, times, start, end)

    def grid(self, nfe: Count) -> Times:
        """The nfe + 1 times from the start to the end of the paths."""
        return self(nfe, float(self.times[-1]), start=float(self.times[0]))


def profile(
    paths: Paths, *, kind: str = "acceleration", power: Number | None = None
) -> Profile:
    """Measure a density of times on dense paths; costs no evaluation of the network.

    "acceleration", SharpEuler: rho = (mean_s |x_s''|)^power with |x''| by differences
    of the velocities at the knots (`metrics.curvature`), and power 1/2. Its program
    smooths the profile of 1000 steps; knots lie farther apart than that smoothing.

    "rotation", TORS: rho = (mean_s |turn of the Frenet frame| / dt)^power, power 1,
    with sqrt(curvature^2 + torsion^2) ds as the turn. TORS computes the two on paths
    projected to few dimensions; we take angles in the space of the samples: the
    curvature is the turn of the velocity from knot to knot, the torsion the angle
    between the planes of two turns that follow each other.

    Args:
        paths: ground truth with dense states; 16 to 64 paths are enough.
        kind: "acceleration" or "rotation".
        power: of the measured quantity, at least 0, where it is uniform in time; None
            is that of the kind.

    Returns:
        A `Profile`: `.grid(nfe)`, or `grid=` of any solver.

    Raises:
        ValueError: an unknown kind, a negative power, paths without dense states, or
            velocities that are not finite.
    """
    require_dense(paths, "profile")
    checks.known("kind", kind, POWERS)
    power = checks.real("power", POWERS[kind] if power is None else power, least=0)
    times = np.asarray(paths.knots, np.float64)
    h = np.diff(times)
    if kind == "acceleration":
        rate = np.asarray(curvature(paths).acceleration, np.float64)
    else:
        rate = _rotation(paths, h) / h
    if not np.isfinite(rate).all():
        raise ValueError("the velocities of the paths are not all finite; end earlier.")
    scale = rate.max() or 1.0  # a density has no unit
    density = (rate / scale) ** power
    density = density + (_FLOOR * density.mean() or 1.0)
    total = np.append(0.0, np.cumsum(density * h))
    return Profile(kind, times, total / total[-1])


def check_within(times: np.ndarray, start: float, end: float) -> None:
    """ValueError unless start and end lie in the interval that was measured."""
    if start < times[0] - _NEAR or end > times[-1] + _NEAR:
        raise ValueError(
            f"the grid was measured on paths from t = {times[0]:g} to {times[-1]:g}; "
            f"got start={start:g}, end={end:g}. Measure it on paths of that interval."
        )


def _rotation(paths: Paths, h: np.ndarray) -> np.ndarray:
    """(K,) mean over samples of sqrt(curvature^2 + torsion^2) ds of each interval."""
    slopes = paths.slopes
    # Three knots at a time in float64: those of all knots may be larger than memory.
    tangents = [_tangent(slopes, 0), _tangent(slopes, 1)]
    turns = [_angle(*tangents)]
    twists = []  # at the inner knots, per unit time
    for k in range(2, len(h) + 1):
        before, here = tangents
        tangents = [here, _tangent(slopes, k)]
        turns.append(_angle(*tangents))
        twist = _twist(before, here, tangents[1])
        twists.append(2 * twist / (h[k - 2] + h[k - 1]))
    if not twists:
        return np.mean(turns, axis=1)
    torsion = np.stack([twists[0], *twists, twists[-1]])
    torsion = (torsion[1:] + torsion[:-1]) / 2 * h[:, None]
    return np.hypot(np.stack(turns), torsion).mean(axis=1)


def _tangent(slopes: Arr, k: int) -> np.ndarray:
    """(N, numbers) unit velocities at knot k; 0 where a sample rests."""
    return _unit(to_host(slopes[:, k]).astype(np.float64).reshape(len(slopes), -1))


def _unit(v: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return v / np.where(length > 0, length, 1.0)


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) angles between unit vectors, exact for small ones too."""
    return 2 * np.arcsin(np.minimum(np.linalg.norm(a - b, axis=1) / 2, 1.0))


def _twist(before: np.ndarray, here: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(N,) angles, at most pi/2, between the planes of two turns.

    A path in a plane that begins to turn the other way does not leave it: a normal and
    its negative are one.
    """
    across = lambda v: v - np.sum(v * here, axis=1, keepdims=True) * here
    a, b = across(-before), across(after)
    sizes = np.minimum(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    a, b = _unit(a), _unit(b)
    b = np.where(np.sum(a * b, axis=1, keepdims=True) < 0, -b, b)
    return np.where(sizes > _STRAIGHT, _angle(a, b), 0.0)

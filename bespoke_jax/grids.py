"""Time grids: where a solver of n steps puts its n + 1 times, on the host in float64.

Every function returns a NumPy array of n + 1 strictly increasing library times (0 is
noise, 1 is data) whose first and last entries are exactly `start` and `end`. Each grid
is uniform in one variable, which its docstring names; u = 1 - t is the time of the
diffusion papers, and NSR = sigma / alpha comes from the schedule. The end is always
explicit: log-SNR and NSR grids need it before the data (`end=1 - 1e-3`), where the
NSR is not yet 0. Every function raises ValueError for a bad n, start, end or shape
parameter.

`resolve` turns what a solver's `grid=` argument accepts into such an array.
"""

import difflib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from bespoke_jax._types import Arr, Schedule

Grid = Float[np.ndarray, " {n}+1"]
"""`n + 1` times for the integer n of the same call."""


def uniform(n: int, end: float | int = 1.0, *, start: float | int = 0.0) -> Grid:
    """Uniform in time: t_i = start + (end - start) i / n."""
    return _close("uniform", start + (end - start) * _ramp(n, start, end), start, end)


def quadratic(n: int, end: float | int = 1.0, *, start: float | int = 0.0) -> Grid:
    """Uniform in sqrt(1 - t), hence denser near the data.

    "time_quadratic" in the programs of DDIM (Song et al., 2020, arXiv 2010.02502),
    DPM-Solver and SciRE-Solver.
    """
    ramp = _ramp(n, start, end)
    a, b = math.sqrt(1 - start), math.sqrt(1 - end)
    return _close("quadratic", 1 - (a + (b - a) * ramp) ** 2, start, end)


def log_snr(
    n: int, schedule: Schedule, end: float | int, *, start: float | int = 0.0
) -> Grid:
    """Uniform in the half log-SNR log(alpha / sigma).

    Raises ValueError where it is infinite at an end (`CondOT` at t=0, any at t=1).
    Lu et al., 2022, arXiv 2206.00927, section 3.3.
    """
    ramp = _ramp(n, start, end)
    a = _finite("log_snr", "log-SNR", schedule, schedule.log_snr(start), start)
    b = _finite("log_snr", "log-SNR", schedule, schedule.log_snr(end), end)
    times = schedule.time_at_log_snr(a + (b - a) * ramp)
    return _close("log_snr", times, start, end)


def nsr(
    n: int,
    schedule: Schedule,
    end: float | int,
    *,
    k: float | int = 3.1,
    start: float | int = 0.0,
) -> Grid:
    """Uniform in w = -log(NSR(t) + k NSR(end)), the NSR-type grid of SciRE-Solver.

    k >= 0; k = 0 is `log_snr`, and a larger k puts fewer times near the end. Raises
    ValueError where w is infinite at an end. Li et al., 2023, arXiv 2308.07896; their
    k is 3.1, recommended between 2 and 7.
    """
    ramp = _ramp(n, start, end)
    if not (math.isfinite(k) and k >= 0):
        raise ValueError(f"nsr grid: k must be finite and at least 0; got {k}")
    shift = k * float(schedule.nsr(end))

    def w(t):
        with np.errstate(divide="ignore"):
            value = -np.log(schedule.nsr(t) + shift)
        return _finite("nsr", "log NSR", schedule, value, t)

    a, b = w(start), w(end)
    ratios = np.exp(-(a + (b - a) * ramp)) - shift
    return _close("nsr", schedule.time_at_nsr(ratios), start, end)


def edm(
    n: int,
    schedule: Schedule,
    end: float | int,
    *,
    rho: float | int = 7.0,
    start: float | int = 0.0,
) -> Grid:
    """Uniform in sigma^(1/rho) with sigma = NSR, the noise levels of EDM.

    rho > 0. The end may be the data, where NSR is 0. Raises ValueError where NSR is
    infinite at the start. Karras et al., 2022, arXiv 2206.00364, equation 5.
    """
    ramp = _ramp(n, start, end)
    _positive("edm", "rho", rho)
    a = _finite("edm", "NSR", schedule, schedule.nsr(start), start) ** (1 / rho)
    b = _finite("edm", "NSR", schedule, schedule.nsr(end), end) ** (1 / rho)
    times = schedule.time_at_nsr((a + (b - a) * ramp) ** rho)
    return _close("edm", times, start, end)


def sigmoid(
    n: int,
    end: float | int = 1.0,
    *,
    start: float | int = 0.0,
    slope: float | int = 3.0,
) -> Grid:
    """A logistic curve in time, denser near both ends than in the middle.

    t_i = start + (end - start) (S(slope x_i) - S(-slope)) / (S(slope) - S(-slope)) with
    x_i = 2 i / n - 1 and S(x) = 1 / (1 + exp(-x)); slope > 0, and slope -> 0 is
    `uniform`. This definition is ours: SciRE-Solver names a sigmoid-type trajectory but
    its formula is not public.
    """
    ramp = _ramp(n, start, end)
    _positive("sigmoid", "slope", slope)
    # S(x) = (1 + tanh(x / 2)) / 2
    curve = 0.5 * (1 + np.tanh(slope * (ramp - 0.5)) / math.tanh(slope / 2))
    return _close("sigmoid", start + (end - start) * curve, start, end)


def explicit(times: Any) -> Float[np.ndarray, " times"]:
    """Check times given by hand: two or more, finite, in [0, 1], increasing.

    Raises ValueError naming the first entry that breaks the rule.
    """
    t = np.array(times, np.float64)
    if t.ndim != 1 or t.size < 2:
        raise ValueError(
            "a grid must be a one-dimensional array of two or more times; "
            f"got shape {t.shape}"
        )
    outside = np.flatnonzero(~((t >= 0) & (t <= 1)))
    if outside.size:
        i = outside[0]
        raise ValueError(
            "grid times must lie in [0, 1] (0 is noise, 1 is data); "
            f"got t[{i}] = {t[i]}"
        )
    falls = np.flatnonzero(np.diff(t) <= 0)
    if falls.size:
        i = falls[0]
        reverse = " (diffusion time? pass 1 - t)" if falls.size == t.size - 1 else ""
        raise ValueError(
            "grid times must strictly increase from noise to data; "
            f"got t[{i}] = {t[i]} then t[{i + 1}] = {t[i + 1]}{reverse}"
        )
    return t


_IN_TIME = {"uniform": uniform, "quadratic": quadratic, "sigmoid": sigmoid}
_IN_NOISE = {"log_snr": log_snr, "nsr": nsr, "edm": edm}
NAMES = (*_IN_TIME, *_IN_NOISE)
"""The grid names that `resolve` knows."""


def resolve(
    grid: str | Float[Arr, " times"] | list | tuple | Callable[..., Any],
    n: int,
    schedule: Schedule | None = None,
    end: float | int = 1.0,
) -> Grid:
    """The n + 1 times of a name, an explicit grid or a callable.

    A name of `NAMES` runs from 0 to `end` with the default parameters; log_snr, nsr and
    edm need the schedule. For other parameters pass a callable, called as
    `grid(n, schedule, end)`: `functools.partial(grids.nsr, k=5.0)`. An explicit
    increasing array of n + 1 times is taken as it is, with its own start and end.

    Raises ValueError for an unknown name (naming the nearest), a missing schedule, or
    times that are not n + 1 increasing numbers in [0, 1].
    """
    if isinstance(grid, str):
        return _by_name(grid, n, schedule, end)
    times = explicit(grid(n, schedule, end) if callable(grid) else grid)
    if times.size != n + 1:
        raise ValueError(
            f"{n} steps need a grid of {n + 1} times; got {times.size} times"
        )
    return times


def _by_name(name, n, schedule, end):
    if name in _IN_TIME:
        return _IN_TIME[name](n, end)
    if name not in _IN_NOISE:
        near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown grid {name!r}; {hint}known: {', '.join(NAMES)}")
    if schedule is None:
        raise ValueError(
            f"grid {name!r} needs the schedule of the model; pass schedule=..., "
            f"or one of {', '.join(_IN_TIME)}"
        )
    return _IN_NOISE[name](n, schedule, end)


def _ramp(n, start, end):
    """i / n for i = 0..n, after checking the arguments every grid has."""
    if n < 1:
        raise ValueError(f"a grid needs n >= 1 steps; got {n}")
    if not 0 <= start < end <= 1:
        raise ValueError(
            "a grid needs 0 <= start < end <= 1 (0 is noise, 1 is data); "
            f"got start={start}, end={end}"
        )
    return np.arange(n + 1) / n


def _close(name, times, start, end):
    """Pin the ends, which inversion reproduces only to rounding."""
    times = np.array(times, np.float64)
    times[0], times[-1] = start, end
    if not np.all(np.diff(times) > 0):
        raise ValueError(
            f"{name} grid: {times.size - 1} steps from {start} to {end} are closer "
            "than float64 can tell apart; use fewer steps or a wider interval"
        )
    return times


def _finite(name, variable, schedule, value, t):
    if math.isfinite(value):
        return float(value)
    if t < 0.5:
        advice = (
            f"start later (grids.{name}(..., start=1e-3), with 0.0 put before it for a "
            "solver that starts from pure noise)"
        )
    else:
        advice = "end earlier (end=1 - 1e-3)"
    raise ValueError(
        f"{name} grid: the {variable} of {type(schedule).__name__} is infinite at "
        f"t={t}; {advice}, or use the uniform, quadratic or sigmoid grid"
    )


def _positive(name, parameter, value):
    if not (math.isfinite(value) and value > 0):
        raise ValueError(
            f"{name} grid: {parameter} must be finite and above 0; got {value}"
        )

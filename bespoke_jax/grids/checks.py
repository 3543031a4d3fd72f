"""The checks that all grids share, with their error messages."""

import math

import numpy as np
from jaxtyping import Float

from bespoke_jax.core.checks import real, whole
from bespoke_jax.core.protocols import Schedule

Grid = Float[np.ndarray, " {n}+1"]
"""`n + 1` times for the integer n of the same call."""

MOST_STEPS = 100_000
"""The most steps of a grid: more are a typing error and would fill the memory."""
ULP = 2.0**-23
"""How far a time may lie outside [0, 1]: the spacing of float32 just above 1."""


def within(value: float) -> float:
    """A time that rounding put outside [0, 1] by at most `ULP`, put back."""
    if -ULP <= value < 0:
        return 0.0
    return 1.0 if 1 < value <= 1 + ULP else value


def span(start: object, end: object) -> tuple[float, float]:
    """The two ends as floats with 0 <= start < end <= 1."""
    start, end = within(real("start", start)), within(real("end", end))
    if not 0 <= start < end <= 1:
        raise ValueError(
            "a grid needs 0 <= start < end <= 1 (0 is noise, 1 is data); "
            f"got start={start}, end={end}"
        )
    return start, end


def ramp(n: object, start: object, end: object) -> tuple[np.ndarray, float, float]:
    """i / n for i = 0..n and the ends, after checking the arguments of every grid."""
    n = whole("the steps n of a grid", n, most=MOST_STEPS)
    return np.arange(n + 1) / n, *span(start, end)


def close(name: str, times: np.ndarray, start: float, end: float) -> np.ndarray:
    """Pin the ends, which inversion reproduces only to rounding."""
    times = np.array(times, np.float64)
    times[0], times[-1] = start, end
    if not np.all(np.diff(times) > 0):
        raise ValueError(
            f"{name} grid: {times.size - 1} steps from {start} to {end} are closer "
            "than float64 can tell apart; use fewer steps or a wider interval"
        )
    return times


def finite(
    name: str, variable: str, schedule: Schedule, value: float | np.ndarray, t: float
) -> float:
    """The value at t, or ValueError with advice where it is infinite."""
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

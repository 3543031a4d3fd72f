"""Grids from lists: times, sigmas and timesteps as other programs write them."""

import numpy as np
from jaxtyping import Float

from bespoke_jax.core import checks
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Number
from bespoke_jax.grids.checks import ULP, within
from bespoke_jax.schedules import on_host

_RATIO = 1e-5
"""Relative rounding of a sigma that was computed from float32 products of alphas."""

Times = Float[np.ndarray, " times"]


def explicit(times: object) -> Times:
    """Check times given by hand: two or more, finite, in [0, 1], increasing.

    Times outside [0, 1] by no more than float32's spacing at 1 are moved to the end.

    Raises ValueError naming the first entry that breaks the rule.
    """
    t = _array("a grid", times)
    t = np.array([within(value) for value in t])
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


def from_sigmas(sigmas: object, schedule: Schedule) -> Times:
    """The times at which a schedule has the noise levels of a falling list.

    On a straight path, alpha + sigma = 1 (`CondOT`), they are the sigmas in [0, 1] of
    flow matching, t = 1 - sigma; on every other path noise-to-signal ratios, as in EDM,
    k-diffusion and the discrete schedulers of diffusers.

    A first level above that of t=0 by rounding (1e-5 relative) is t=0. A last level
    that repeats the one before it is dropped; so is a trailing 0 where the path ends at
    noise above 0 (`EDM`): the constructors' `denoise=True` takes that last step.

    Raises ValueError, naming the entry, for levels that are negative, not finite, not
    falling, or beyond the ends of the path.
    """
    checks.schedule("schedule", schedule)
    sigma = _falling("sigmas", sigmas)
    values = np.sum(on_host(schedule, np.array([0.1, 0.5, 0.9])), axis=0)
    if np.abs(values - 1).max() < 1e-6:
        top, most, least = 1 + ULP, 1.0, 0.0
    else:
        most, least = (float(v) for v in on_host(schedule.nsr, np.array([0.0, 1.0])))
        top = most * (1 + _RATIO)
    if not 0 <= sigma[0] <= top:
        raise ValueError(
            f"sigmas must lie in [0, {most:.6g}], the noise of "
            f"{type(schedule).__name__} at t = 0; got sigmas[0] = {sigma[0]}"
        )
    if sigma[-1] == 0 and least > 0:
        sigma = _array("sigmas without a trailing 0", sigma[:-1])
    if sigma[-1] < least * (1 - _RATIO):
        raise ValueError(
            f"sigmas must not fall below {least:.6g}, the noise of "
            f"{type(schedule).__name__} at t = 1; got {sigma[-1]}"
        )
    sigma = np.clip(sigma, least, most)
    if top == 1 + ULP:
        with np.errstate(divide="ignore"):
            sigma = sigma / (1 - sigma)
    return explicit(on_host(schedule.time_at_nsr, sigma))


def from_timesteps(
    timesteps: object,
    *,
    levels: object = None,
    scale: Number | None = None,
    end: Number | None = 1.0,
) -> Times:
    """The times of a falling list of a network's timesteps, and the end after them.

    With `levels=N`, indices k of a model trained on N discrete levels: t = 1 - (k + 1)
    / N, as in `DiscreteVP.time`; with `scale`, multiples of diffusion time: t = 1 - k /
    scale, as the 1000 sigma of flow models. The lists of diffusers hold the evaluations
    only; the sample is at `end`: 1.0 for alpha = 1, the time of level 0 for programs
    that stop there. end=None takes the last timestep as the end.

    Raises ValueError, naming the entry, for timesteps that are not falling or outside
    the model's range, both or neither of levels and scale, or an end before the last
    timestep.
    """
    if (levels is None) == (scale is None):
        raise ValueError("from_timesteps needs one of levels=... and scale=...")
    k = _falling("timesteps", timesteps, 1 if end is not None else 2)
    if levels is not None:
        N = checks.whole("levels", levels)
        t = 1 - (k + 1) / N
    else:
        N = checks.real("scale", scale, above=0)
        t = 1 - k / N
    t = np.array([within(value) for value in t])
    outside = np.flatnonzero(~((t >= 0) & (t <= 1)))
    if outside.size:
        i = outside[0]
        high = f"0 to {N - 1}" if levels is not None else f"0 to {N:g}"
        raise ValueError(f"timesteps must lie in {high}; got timesteps[{i}] = {k[i]:g}")
    if end is None:
        return explicit(t)
    last = within(checks.real("end", end))
    if last < t[-1] - ULP:
        raise ValueError(
            f"the end must not come before the last timestep, at t = {t[-1]}; got "
            f"end = {end}"
        )
    return explicit(np.append(t, last) if last > t[-1] + ULP else t)


def _array(what: str, values: object, least: int = 2) -> np.ndarray:
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{what} must be an array of numbers; got {checks.shown(values)}"
        ) from None
    if array.ndim != 1 or array.size < least:
        count = {1: "one or more", 2: "two or more"}[least]
        raise ValueError(
            f"{what} must be a one-dimensional array of {count} numbers; "
            f"got shape {array.shape}"
        )
    return array


def _falling(what: str, values: object, least: int = 2) -> np.ndarray:
    """A strictly falling list, without a last entry that repeats the one before it."""
    array = _array(what, values, least)
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise ValueError(
            f"{what} must be finite; got {what}[{bad[0]}] = {array[bad[0]]}"
        )
    if array.size > 1 and abs(array[-1] - array[-2]) <= ULP * abs(array[-2]):
        array = _array(f"{what} without the repeated last one", array[:-1], least)
    rises = np.flatnonzero(np.diff(array) >= 0)
    if rises.size:
        i = rises[0]
        raise ValueError(
            f"{what} must fall from noise to data; got {what}[{i}] = {array[i]} then "
            f"{what}[{i + 1}] = {array[i + 1]}"
        )
    return array

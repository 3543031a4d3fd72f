"""Grids by name: each is uniform in one variable, which its docstring names."""

import math

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids.checks import Grid, close, finite, ramp
from bespoke_jax.schedules import on_host


def uniform(n: Count, end: Number = 1.0, *, start: Number = 0.0) -> Grid:
    """Uniform in time: t_i = start + (end - start) i / n."""
    steps, start, end = ramp(n, start, end)
    return close("uniform", start + (end - start) * steps, start, end)


def quadratic(n: Count, end: Number = 1.0, *, start: Number = 0.0) -> Grid:
    """Uniform in sqrt(1 - t), hence denser near the data.

    "time_quadratic" in the programs of DDIM (Song et al., 2020, arXiv 2010.02502),
    DPM-Solver and SciRE-Solver.
    """
    steps, start, end = ramp(n, start, end)
    a, b = math.sqrt(1 - start), math.sqrt(1 - end)
    return close("quadratic", 1 - (a + (b - a) * steps) ** 2, start, end)


def shift(
    n: Count,
    end: Number = 1.0,
    *,
    start: Number = 0.0,
    shift: Number = 3.0,
) -> Grid:
    """Uniform in the unshifted time v, 1 - t = s v / (1 + (s - 1) v) for a shift s > 0.

    The grid of SD3, FLUX and Wan: their sigma is 1 - t on `CondOT`. s > 1 puts more
    times near the noise; `shift_of` gives s by resolution. As a grid of other shifts
    pass `functools.partial(grids.shift, shift=5.0)`. Esser et al., 2024, arXiv
    2403.03206, equation 23.
    """
    steps, start, end = ramp(n, start, end)
    s = checks.real("shift grid: shift", shift, above=0)
    a, b = (u / (s - (s - 1) * u) for u in (1 - start, 1 - end))
    v = a + (b - a) * steps
    # t itself, not 1 - u, which would cancel near the noise.
    return close("shift", (1 - v) / (1 + (s - 1) * v), start, end)


def shift_of(
    image_tokens: Number,
    *,
    base: tuple[Number, Number] = (256, 0.5),
    max: tuple[Number, Number] = (4096, 1.15),
) -> float:
    """The shift exp(mu) of FLUX for an image of that many tokens, mu linear in them.

    mu = 0.5 for 256 tokens (256 x 256 pixels in latents of 8 and patches of 2) and 1.15
    for 4096 (1024 x 1024), or as `base` and `max` say. Linear beyond both.

    Raises ValueError for a count below 1 or two equal counts of tokens. Esser et al.,
    2024, arXiv 2403.03206, section 5.3.2, for the dependence on resolution.
    """
    tokens = checks.real("shift_of: image_tokens", image_tokens, least=1)
    for name, pair in (("base", base), ("max", max)):
        if np.shape(checks.samples(f"shift_of: {name}", pair)) != (2,):
            raise ValueError(f"shift_of: {name} must be (tokens, mu); got {pair}")
    if base[0] == max[0]:
        raise ValueError(
            f"shift_of: base and max need different numbers of tokens; got {base[0]}"
        )
    slope = (max[1] - base[1]) / (max[0] - base[0])
    return math.exp(base[1] + slope * (tokens - base[0]))


def log_snr(n: Count, schedule: Schedule, end: Number, *, start: Number = 0.0) -> Grid:
    """Uniform in the half log-SNR log(alpha / sigma).

    Raises ValueError where it is infinite at an end (`CondOT` at t=0, any at t=1).
    Lu et al., 2022, arXiv 2206.00927, section 3.3.
    """
    checks.schedule("log_snr grid: schedule", schedule)
    steps, start, end = ramp(n, start, end)
    a = finite("log_snr", "log-SNR", schedule, on_host(schedule.log_snr, start), start)
    b = finite("log_snr", "log-SNR", schedule, on_host(schedule.log_snr, end), end)
    times = on_host(schedule.time_at_log_snr, a + (b - a) * steps)
    return close("log_snr", times, start, end)


def nsr(
    n: Count,
    schedule: Schedule,
    end: Number,
    *,
    k: Number = 3.1,
    start: Number = 0.0,
) -> Grid:
    """Uniform in w = -log(NSR(t) + k NSR(end)), the NSR-type grid of SciRE-Solver.

    k >= 0; k = 0 is `log_snr`, and a larger k puts fewer times near the end. Raises
    ValueError where w is infinite at an end. Li et al., 2023, arXiv 2308.07896; their
    k is 3.1, recommended between 2 and 7.
    """
    checks.schedule("nsr grid: schedule", schedule)
    steps, start, end = ramp(n, start, end)
    k = checks.real("nsr grid: k", k, least=0)
    shift = k * float(on_host(schedule.nsr, end))

    def w(t):
        with np.errstate(divide="ignore"):
            value = -np.log(on_host(schedule.nsr, t) + shift)
        return finite("nsr", "log NSR", schedule, value, t)

    a, b = w(start), w(end)
    # The difference of large numbers may round to below 0.
    ratios = np.maximum(np.exp(-(a + (b - a) * steps)) - shift, 0)
    return close("nsr", on_host(schedule.time_at_nsr, ratios), start, end)


def edm(
    n: Count,
    schedule: Schedule,
    end: Number,
    *,
    rho: Number = 7.0,
    start: Number = 0.0,
) -> Grid:
    """Uniform in sigma^(1/rho) with sigma = NSR, the noise levels of EDM.

    rho > 0. The end may be the data, where NSR is 0. Raises ValueError where NSR is
    infinite at the start. Karras et al., 2022, arXiv 2206.00364, equation 5.
    """
    checks.schedule("edm grid: schedule", schedule)
    steps, start, end = ramp(n, start, end)
    rho = checks.real("edm grid: rho", rho, above=0)
    # A NumPy power overflows to inf, which is then refused in words.
    with np.errstate(over="ignore"):
        a, b = (
            finite("edm", "NSR", schedule, value ** np.float64(1 / rho), t)
            for t in (start, end)
            for value in [np.float64(on_host(schedule.nsr, t))]
        )
        ratios = (a + (b - a) * steps) ** rho
    times = on_host(schedule.time_at_nsr, ratios)
    return close("edm", times, start, end)


def sigmoid(
    n: Count,
    end: Number = 1.0,
    *,
    start: Number = 0.0,
    slope: Number = 3.0,
) -> Grid:
    """A logistic curve in time, denser near both ends than in the middle.

    t_i = start + (end - start) (S(slope x_i) - S(-slope)) / (S(slope) - S(-slope)) with
    x_i = 2 i / n - 1 and S(x) = 1 / (1 + exp(-x)); slope > 0, and slope -> 0 is
    `uniform`. This definition is ours: SciRE-Solver names a sigmoid-type trajectory but
    its formula is not public.
    """
    steps, start, end = ramp(n, start, end)
    slope = checks.real("sigmoid grid: slope", slope, above=0)
    # S(x) = (1 + tanh(x / 2)) / 2
    curve = 0.5 * (1 + np.tanh(slope * (steps - 0.5)) / math.tanh(slope / 2))
    return close("sigmoid", start + (end - start) * curve, start, end)

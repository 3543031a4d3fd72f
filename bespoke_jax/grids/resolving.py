"""From what a `grid=` argument accepts to times; grid names are read only here."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from bespoke_jax.core import checks
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Arr, Count, Number
from bespoke_jax.grids import named
from bespoke_jax.grids.checks import MOST_STEPS, Grid, span
from bespoke_jax.grids.lists import explicit
from bespoke_jax.schedules import on_host

REACH = 5.1
"""Half log-SNR, up and down, to which named noise grids count where it is infinite.

The bound of the DPM-Solver program for cosine schedules (alpha / sigma = 0.0061); VP
itself spans -5.03 to 4.56 at 1 - 1e-3.
"""

_IN_TIME = {
    "uniform": named.uniform,
    "quadratic": named.quadratic,
    "sigmoid": named.sigmoid,
    "shift": named.shift,
}
_IN_NOISE = {"log_snr": named.log_snr, "nsr": named.nsr, "edm": named.edm}
NAMES = (*_IN_TIME, *_IN_NOISE)
"""The grid names that `resolve` knows."""


GridLike = str | Float[Arr, " times"] | list | tuple | Callable[..., Any]
"""What a `grid=` argument accepts: a name, times, or a function of the steps."""


def resolve(
    grid: GridLike,
    n: Count,
    schedule: Schedule | None = None,
    end: Number = 1.0,
    *,
    start: Number = 0.0,
    k: Number = 3.1,
) -> Grid:
    """The n + 1 times of a name, an explicit grid or a callable.

    A name of `NAMES` is the grid of that name from `start` to `end` with the default
    parameters; log_snr, nsr and edm need the schedule. Solvers must also reach ends at
    which log(alpha / sigma) is infinite: the start (pure noise) or the end (the data,
    except for edm). There the grid runs from -5.1 (to 5.1), and its first (last) time
    is then moved to the start (end); a first-order step is finite. The functions of
    those names, which promise a grid that is uniform to its ends, raise instead.

    For other parameters pass a callable, called as `grid(n, schedule, end)`, or as
    `grid(n, end)` where it takes no schedule, with `start=...` where that is not 0:
    `functools.partial(grids.nsr, k=5.0)`. An explicit increasing array of n + 1 times
    is taken as it is, with its own start and end. `k` is the parameter of "nsr".

    Raises ValueError for an unknown name (naming the nearest), a missing schedule,
    bounds out of order, or times that are not n + 1 increasing numbers in [0, 1].
    """
    n = checks.whole("the steps of a grid", n, most=MOST_STEPS)
    if isinstance(grid, str):
        start, end = span(start, end)
        return _by_name(grid, n, schedule, end, start, k)
    if callable(grid):
        start, end = span(start, end)
        times = explicit(_call(grid, n, schedule, end, start))
    else:
        times = explicit(grid)
    if times.size != n + 1:
        raise ValueError(
            f"{n} steps need a grid of {n + 1} times; got {times.size} times"
        )
    return times


def _by_name(name, n, schedule, end, start, k):
    if name in _IN_TIME:
        return _IN_TIME[name](n, end, start=start)
    if name not in _IN_NOISE:
        near = checks.nearest(name, NAMES, count=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown grid {name!r}; {hint}known: {', '.join(NAMES)}")
    if schedule is None:
        raise ValueError(
            f"grid {name!r} needs the schedule of the model; pass schedule=..., "
            f"or one of {', '.join(_IN_TIME)}"
        )
    checks.schedule("schedule", schedule)
    first, last = start, end
    ends = on_host(schedule.log_snr, np.array([start, end]))
    if math.isinf(ends[0]):
        first = float(on_host(schedule.time_at_log_snr, -REACH))
    if math.isinf(ends[1]) and name != "edm":  # edm has sigma = 0
        last = float(on_host(schedule.time_at_log_snr, REACH))
    if not start <= first < last <= end:
        raise ValueError(
            f"{name} grid: {type(schedule).__name__} has |log(alpha / sigma)| > "
            f"{REACH} all the way from t = {start} to {end}; use the uniform grid"
        )
    options = {"k": k} if name == "nsr" else {}
    times = _IN_NOISE[name](n, schedule, last, start=first, **options)
    times[0], times[-1] = start, end
    return times


def _call(grid, n, schedule, end, start):
    options = {"start": start} if start else {}
    try:
        signature = inspect.signature(grid)
    except (TypeError, ValueError):  # some built-in callables have none
        return grid(n, schedule, end, **options)
    for arguments in ((n, schedule, end), (n, end)):
        try:
            signature.bind(*arguments, **options)
        except TypeError:
            continue
        return grid(*arguments, **options)
    raise ValueError(
        "a callable grid must accept (n, schedule, end) or (n, end)"
        + (", and start=... for a start other than 0" if start else "")
        + f"; {getattr(grid, '__name__', 'this one')} has the signature {signature}"
    )

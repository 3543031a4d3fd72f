"""Inexpensive checks of a field against its initial states and its interval."""

import warnings

import jax
import numpy as np
from jax.tree_util import Partial

from bespoke_jax.core import checks
from bespoke_jax.core.batches import rows
from bespoke_jax.core.calls import as_field, as_states, velocity
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import magnitude
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.fields.knowledge import Known, schedule_of
from bespoke_jax.fields.transforms import Reversed

DIRECTION_COST = 8
"""Network evaluations of single samples that `warn_direction` spends at most."""

_NOISE_END = -2.0
"""The log SNR below which a state is noise, so that a velocity must take it away."""


def warn_direction(
    field: VelocityField, x0: Arr, c: Conditioning, start: float, end: float
) -> int:
    """Warn where the velocity at the noise end adds to the noise.

    A model takes noise away: at the noise end its velocity correlates with -x_0. One
    that predicts noise - data, or whose time runs from data to noise, correlates with
    +x_0. The warning needs a correlation above 0.5 (more where a few numbers could
    reach that by chance) and a velocity that matters, |u| (end - start) > 0.25 |x_0|.
    Means over the samples are subtracted from both first, as a common shift of the
    data is not evidence. Costs up to `DIRECTION_COST` evaluations. Where the path of
    the field is known, only a start at the noise (log SNR below -2) is tested;
    otherwise only start = 0.

    Returns:
      Network evaluations of single samples that were spent.

    Raises:
      ValueError: states or times of the wrong form.

    Warns:
      UserWarning: naming the correlation and the two remedies.
    """
    x0 = as_states(x0, c)
    start, end = checks.real("start", start), checks.real("end", end)
    path = schedule_of(field)
    at_noise = start == 0 if path is None else path.log_snr(start) < _NOISE_END
    if not at_noise:
        return 0
    x, c = rows((x0, c), slice(0, min(DIRECTION_COST, len(x0))))
    x, u = to_host((x, velocity(as_field(field), start, x, c)))
    x, u = x.astype(np.float64), u.astype(np.float64)
    if len(x) > 2:
        x, u = x - x.mean(0), u - u.mean(0)
    size, speed = np.linalg.norm(x), np.linalg.norm(u)
    if not (np.isfinite(speed) and size > 0 and speed * (end - start) > 0.25 * size):
        return len(x)
    correlation = float((x * u).sum() / (size * speed))
    if correlation > max(0.5, min(0.9, 2.5 / np.sqrt(x.size))):
        warnings.warn(
            f"at t = {start:g} the velocity correlates with +x0 ({correlation:.2f}): "
            "it adds to the noise instead of removing it. A network that predicts "
            'noise - data is kind="noise-data" of fields.from_prediction; a field '
            "whose time runs from data to noise goes through fields.reverse",
            stacklevel=3,
        )
    return len(x)


def warn_spread(x0: Arr, schedule: Schedule, start: float) -> None:
    """Warn where the spread of x_0 is far from sigma(start), by a factor above 2.

    The spread is the root mean square of at most 64 samples; the factor is larger
    where these are a few numbers. States that contain data as well as noise
    (alpha(start) > sigma(start)/10) are only tested for a spread that is too small, as
    the data may have any size.

    Warns:
      UserWarning: naming both numbers.
    """
    checks.schedule("schedule", schedule)
    start = checks.real("start", start)
    part = to_host(as_states(x0)[:64]).astype(np.float64)
    spread = magnitude(part)
    alpha, sigma = (float(value) for value in schedule(start))
    factor = 2 * (1 + 3 / np.sqrt(part.size))
    low = spread < sigma / factor
    high = spread > factor * sigma and alpha < sigma / 10
    if low or high:
        warnings.warn(
            f"x0 has a spread of {spread:.3g}, but {schedule} has sigma = {sigma:.3g} "
            f"at t = {start:g}: x0 must be sigma times the unit noise there",
            stacklevel=3,
        )


def check_end(field: object, end: float) -> None:
    """Refuse to end at t = 1 where a part of the field is known to be singular there.

    Raises:
      ValueError: naming the prediction, the schedule and an end that works; see the
        table of `from_prediction`.
    """
    if (
        checks.real("end", end) < 1
        or not isinstance(field, Partial)
        or not isinstance(field.func, Known)
    ):
        return
    if isinstance(field.func, Reversed):  # t = 1 is time 0 of what it reverses
        return
    check = getattr(field.func, "check_data_end", None)
    if check is not None:
        check()
    for part in jax.tree.leaves(field.args, is_leaf=lambda p: isinstance(p, Partial)):
        check_end(part, end)

"""The time and scaling in which a solve runs: the field's own, or a smooth one.

On a path whose rates jump at known times (the joints of a discrete schedule) an
adaptive solver would have to stop at each of them. The angle theta = atan2(alpha,
sigma) removes these jumps: z = x / sqrt(alpha^2 + sigma^2) solves

    dz / dtheta = cos(theta) E[x_1 | x] - sin(theta) E[x_0 | x],

the probability-flow equation on the path `Cosine`, smooth up to both ends. The
change is `fields.change_schedule`; results are returned in the field's own time and
scaling.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from bespoke_jax.core import checks
from bespoke_jax.core.calls import evaluate, to_batch
from bespoke_jax.core.protocols import Schedule, Values, VelocityField
from bespoke_jax.core.types import Arr, BatchTime, Conditioning, State
from bespoke_jax.fields import change_schedule, jumps_of, schedule_of
from bespoke_jax.schedules import Cosine, joints

_SMOOTH = Cosine()
_TIGHTER = 3.0
"""Steps in the angle are longer and have larger errors: with a third of the tolerance
the errors are below those of a solve on the smooth `VP`, in fewer evaluations."""
_MOST_JUMPS = 64
"""With more known jumps they are ignored: such a field, for instance one of integer
time steps, has no smooth pieces, and its steps are below the error of the model."""


@dataclass(frozen=True)
class Frame:
    """`schedule` None: the field's own time. Else the angle of that schedule."""

    schedule: Schedule | None = None
    jumps: tuple[float, ...] = ()
    """Times of the field, increasing, that no step may cross."""

    def time(self, t: Values) -> Values:
        """The time of the frame at times t of the field."""
        if self.schedule is None:
            return t
        return _SMOOTH.time_at_log_snr(self.schedule.log_snr(t))

    def field_time(self, r: Values) -> Values:
        """The inverse of `time`."""
        if self.schedule is None:
            return r
        return self.schedule.time_at_log_snr(_SMOOTH.log_snr(r))

    def scale(self, t: Values) -> Values:
        """z / x at times t of the field."""
        if self.schedule is None:
            return t * 0 + 1
        alpha, sigma = self.schedule(t)
        return (alpha**2 + sigma**2) ** -0.5

    @property
    def tolerance(self) -> float:
        """The factor by which tolerances are smaller in the frame."""
        return 1.0 if self.schedule is None else 1 / _TIGHTER

    def carry(self, field: VelocityField) -> VelocityField:
        """The field in the time and scaling of the frame."""
        if self.schedule is None:
            return field
        if not self.jumps:
            return change_schedule(field, self.schedule, _SMOOTH)
        jumps = np.asarray(self.jumps)
        sided = Partial(_sided, field, jumps, np.asarray(self.time(jumps)))
        return Partial(_told, change_schedule(sided, self.schedule, _SMOOTH))


def frame_of(
    field: VelocityField, start: float | int, end: float | int, jumps: object = ()
) -> Frame:
    """The frame that suits a field, with the jumps strictly between start and end."""
    schedule, known = schedule_of(field), jumps_of(field)
    given = np.ravel(checks.numbers("jumps", jumps)).tolist()
    times = {checks.real("each of jumps", t) for t in given}
    if len(known) <= _MOST_JUMPS:
        times |= {float(t) for t in known}
    low, high = min(start, end), max(start, end)
    inner = tuple(sorted(t for t in times if low < t < high))
    return Frame(schedule if joints(schedule).size else None, inner)


def _told(
    changed: VelocityField, r: BatchTime, z: State, c: Conditioning = None
) -> State:
    """Pass the frame's time to the field beneath, where `_sided` reads it."""
    return evaluate(changed, r, z, (c, to_batch(r, z)))


def _sided(
    field: VelocityField,
    jumps: Arr,
    places: Arr,
    t: jax.Array,
    x: State,
    both: tuple[Conditioning, jax.Array],
) -> State:
    """Keep t, which is r carried back with rounding, on the side of r of every jump."""
    c, r = both
    jumps, places = jnp.asarray(jumps, t.dtype), jnp.asarray(places, t.dtype)
    past = r[:, None] >= places[None]
    after = jnp.where(past, jnp.nextafter(jumps, 1.0 + jumps)[None], 0).max(1)
    before = jnp.where(past, 1, jnp.nextafter(jumps, jumps - 1.0)[None]).min(1)
    return evaluate(field, jnp.clip(t, after, before), x, c)

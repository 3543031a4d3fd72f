"""Scale-time transformations and changes of the schedule: field -> field.

If x(t) solves dx/dt = u(t, x), then y(r) = s(r) x(t(r)) solves dy/dr = u_bar(r, y) with

    u_bar(r, y) = (s'/s) y + t' s u(t, y/s).

Shaul et al. (2024), arXiv 2310.19075, equations 14-16 and theorem 2.3.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from bespoke_jax.core import endpoints
from bespoke_jax.core.calls import as_field, evaluate, per_sample, to_batch
from bespoke_jax.core.checks import static_schedule
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import BatchTime, Conditioning, State
from bespoke_jax.fields.base import as_callable, coefficients
from bespoke_jax.fields.knowledge import jumps_of, preimages, schedule_of


def scale_time(field: VelocityField, scale: object, time: object) -> Partial:
    """The field of y(r) = s(r) x(t(r)), for continuous s and t.

        u_bar(r, y) = (s'/s) y + t' s u(t, y/s),    s' and t' by forward differentiation

    A solution starts at s(0) x(t(0)) and ends at s(1) x(t(1)).

    Args:
      field: u(t, x).
      scale: s(r) > 0, a differentiable function of a scalar r.
      time: t(r), the same; an increasing map of [0, 1] onto [0, 1] keeps the direction.
        Both are static unless they are pytrees: a `Partial` carries its leaves.

    Raises:
      ValueError: when `field` is not a field or `scale` or `time` not callable.

    Reference: Shaul et al. (2024), arXiv 2310.19075, equation 16.
    """
    return Partial(
        _Scaled(),
        as_field(field),
        as_callable(scale, "scale"),
        as_callable(time, "time"),
    )


@dataclass(frozen=True)
class _Scaled:
    def __call__(
        self,
        field: VelocityField,
        scale: Callable,
        time: Callable,
        t: BatchTime,
        x: State,
        c: Conditioning = None,
    ) -> State:
        r = to_batch(t, x)
        value_and_rate = lambda f: jax.vmap(
            lambda r: jax.jvp(
                lambda r: jnp.asarray(f(r), r.dtype), (r,), (jnp.ones_like(r),)
            )
        )(r)
        (s, ds), (t, dt) = value_and_rate(scale), value_and_rate(time)
        s, ds, dt = (per_sample(a, x) for a in (s, ds, dt))
        u = evaluate(field, t, (x / s).astype(x.dtype), c)
        return ((ds / s) * x + dt * s * u).astype(x.dtype)

    def path(self, field: VelocityField, scale: Callable, time: Callable) -> None:
        return None

    def jumps(
        self, field: VelocityField, scale: Callable, time: Callable
    ) -> tuple[float, ...]:
        return preimages(time, jumps_of(field))


def reverse(field: VelocityField) -> Partial:
    """The field of a model whose time runs from data to noise.

        u(t, x) = -v(1 - t, x)

    for v = dx/dtau, tau = 1 - t. It is its own inverse: `reverse(reverse(field))` is
    the field itself, and a solve of `reverse(field)` takes data to noise.

    Raises:
      ValueError: when `field` is not a field.
    """
    field = as_field(field)
    if isinstance(field, Partial) and isinstance(field.func, Reversed):
        return field.args[0]
    return Partial(Reversed(), field)


@dataclass(frozen=True)
class Reversed:
    """The function of `reverse`: time 1 - t, and the sign of the velocity."""

    def __call__(
        self, field: VelocityField, t: BatchTime, x: State, c: Conditioning = None
    ) -> State:
        return -evaluate(field, 1 - to_batch(t, x), x, c)

    def path(self, field: VelocityField) -> None:
        return None

    def jumps(self, field: VelocityField) -> tuple[float, ...]:
        return tuple(1 - t for t in jumps_of(field))


@dataclass(frozen=True)
class _Changed:
    old: Schedule
    new: Schedule

    def __call__(
        self, field: VelocityField, t: BatchTime, x: State, c: Conditioning = None
    ) -> State:
        r = to_batch(t, x)
        t = self._time(r)
        s, growth, gain = endpoints.change(
            coefficients(self.old, t, x), coefficients(self.new, r, x)
        )
        u = evaluate(field, t, (x / s).astype(x.dtype), c)
        return (growth * x + gain * u).astype(x.dtype)

    def _time(self, r):
        # Held at the ends of the old path; the inverse only sees log-SNRs inside.
        ends = jnp.stack([jnp.zeros((), r.dtype), jnp.ones((), r.dtype)])
        first, last = self.old.log_snr(ends)
        value = self.new.log_snr(r)
        before, after = value <= first, value >= last
        middle = self.old.log_snr(jnp.full((), 0.5, r.dtype))
        inner = self.old.time_at_log_snr(jnp.where(before | after, middle, value))
        return jnp.where(before, 0, jnp.where(after, 1, jnp.clip(inner, 0, 1)))

    def path(self, field: VelocityField) -> Schedule | None:
        known = schedule_of(field)
        return self.new if known is None or known == self.old else None

    def jumps(self, field: VelocityField) -> tuple[float, ...]:
        # Where the new path leaves the old one, which is held there: a kink.
        return tuple(
            float(self.new.time_at_log_snr(value))
            for value in (self.old.log_snr(t) for t in (0.0, *jumps_of(field), 1.0))
            if np.isfinite(value)
        )


def change_schedule(field: VelocityField, old: Schedule, new: Schedule) -> Partial:
    """The field of a model trained on the path `old`, on the path `new`.

        u_bar(r, y) = (s'/s) y + t' s u(t, y/s),
        snr_old(t) = snr_new(r),
        s = sigma_new(r) / sigma_old(t) = alpha_new(r) / alpha_old(t)

    The same noise gives the same sample: y(r) = s(r) x(t(r)) with s(1) = 1, and
    y(0) = s(0) x(0), s(0) = sigma_new(0)/sigma_old(0). So a solve on a VE path starts
    at sigma_0 times the noise.

    The rates are those that keep data and noise prediction, t' = W_new/(s^2 W_old) with
    W = sigma alpha' - alpha sigma', which stay finite at SNR = 0 where differentiating
    through the inverse does not. Where the new path is noisier than the old one ever
    is (CondOT from VP, near r = 0) the model is called at t = 0 and its data prediction
    is used; where it is cleaner (from EDM with sigma_min > 0), its noise prediction at
    t = 1. r = 1 itself needs an old path with finite rates there, unlike VP.

    Raises:
      ValueError: when `field` is not a field.

    Reference: Shaul et al. (2024), arXiv 2310.19075, theorem 2.3 and equation 16.
    """
    both = (static_schedule("old", old), static_schedule("new", new))
    return Partial(_Changed(*both), as_field(field))

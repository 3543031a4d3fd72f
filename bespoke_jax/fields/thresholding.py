"""Dynamic thresholding: field -> field."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax.tree_util import Partial

from bespoke_jax.core.calls import as_field, evaluate, per_sample, to_batch
from bespoke_jax.core.checks import real, static_schedule
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import BatchTime, Conditioning, State
from bespoke_jax.fields.base import coefficients
from bespoke_jax.fields.knowledge import agree, jumps_of, schedule_of


@dataclass(frozen=True)
class _Threshold:
    schedule: Schedule
    quantile: float
    maximum: float

    def __call__(
        self, field: VelocityField, t: BatchTime, x: State, c: Conditioning = None
    ) -> State:
        t = to_batch(t, x)
        u = evaluate(field, t, x, c)
        path = coefficients(self.schedule, t, x)
        x_1 = path.data(x, u)
        size = jnp.quantile(
            jnp.abs(x_1).reshape(x.shape[0], -1), self.quantile, axis=-1
        )
        s = per_sample(jnp.maximum(size, self.maximum), x)
        clipped = jnp.clip(x_1, -s, s) * (self.maximum / s)
        # With eps = (x - alpha x_1)/sigma, du = (W/sigma) dx_1: u comes back bitwise
        # where nothing is clipped. At sigma = 0 the path leaves no room to move x_1.
        inside = path.sigma > 0
        gain = jnp.where(inside, path.W / jnp.where(inside, path.sigma, 1), 0)
        return (u + gain * (clipped - x_1)).astype(x.dtype)

    def path(self, field: VelocityField) -> Schedule | None:
        return agree(self.schedule, schedule_of(field))

    def jumps(self, field: VelocityField) -> tuple[float, ...]:
        return jumps_of(field)


def threshold(
    field: VelocityField,
    schedule: Schedule,
    quantile: float = 0.995,
    maximum: float = 1.0,
) -> Partial:
    """Dynamic thresholding of the field's data prediction, sample by sample.

        s = max(quantile of |x_1|, maximum),    x_1 <- clip(x_1, -s, s) maximum / s,
        eps <- (x - alpha x_1) / sigma,         u = alpha' x_1 + sigma' eps

    A sample whose prediction stays within `maximum` keeps its velocity bitwise. At
    sigma = 0, where x is already x_1, the field is unchanged.

    Args:
      field: the field, of any kind of model.
      schedule: the path of the field.
      quantile: in [0, 1], of the absolute values of one sample.
      maximum: the range of the data, > 0: data lie in [-maximum, maximum].

    Raises:
      ValueError: for a quantile outside [0, 1] or a maximum <= 0.

    Reference: Saharia et al. (2022), arXiv 2205.11487, section 2.3.
    """
    part = _Threshold(
        static_schedule("schedule", schedule),
        real("quantile", quantile, least=0, most=1),
        real("maximum", maximum, above=0),
    )
    return Partial(part, as_field(field))

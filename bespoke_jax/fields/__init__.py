"""Velocity fields: made from models, and from other fields.

A field is `field(t, x, c=None) -> u`, the right-hand side of dx/dt = u(t, x) from
noise (t = 0) to data (t = 1); `t` is a scalar or `(batch,)`, `x` is `(batch, *shape)`,
`c` any pytree of per-sample conditioning. On a Gaussian path x = alpha x_1 + sigma x_0
a field is equivalent to each of its endpoint predictions x_1 (data) and eps = x_0
(noise):

    x = alpha x_1 + sigma eps,    u = alpha' x_1 + sigma' eps.

Solving these two lines for the pair that is known gives every conversion here.

Each function returns a `jax.tree_util.Partial`: what is static (module, schedule, kind)
is compared by value, weights and arrays are leaves. So a field is an ordinary argument
of a jitted function, and new weights of the same shapes run the compiled code.
"""

from bespoke_jax.core.calls import as_field
from bespoke_jax.fields.analytic import Mixture, mixture_field, random_mixture
from bespoke_jax.fields.checks import (
    DIRECTION_COST,
    check_end,
    warn_direction,
    warn_spread,
)
from bespoke_jax.fields.flax import from_flax
from bespoke_jax.fields.guidance import compose, guide
from bespoke_jax.fields.knowledge import jumps_of, schedule_of
from bespoke_jax.fields.prediction import (
    data_prediction,
    from_prediction,
    noise_prediction,
)
from bespoke_jax.fields.switching import switch
from bespoke_jax.fields.thresholding import threshold
from bespoke_jax.fields.transforms import change_schedule, reverse, scale_time
from bespoke_jax.fields.vector_field import from_diffrax

__all__ = [
    "DIRECTION_COST",
    "Mixture",
    "as_field",
    "change_schedule",
    "check_end",
    "compose",
    "data_prediction",
    "from_diffrax",
    "from_flax",
    "from_prediction",
    "guide",
    "jumps_of",
    "mixture_field",
    "noise_prediction",
    "random_mixture",
    "reverse",
    "scale_time",
    "schedule_of",
    "switch",
    "threshold",
    "warn_direction",
    "warn_spread",
]

"""Velocity fields: what a model becomes, and what one field becomes from another.

A field is `field(t, x, c=None) -> u`, the right-hand side of dx/dt = u(t, x) from
noise (t = 0) to data (t = 1); `t` is a scalar or `(batch,)`, `x` is `(batch, *shape)`,
`c` any pytree of per-sample conditioning. On a Gaussian path x = alpha x_1 + sigma x_0
a field and its two endpoint predictions x_1 (data) and eps = x_0 (noise) say the same:

    x = alpha x_1 + sigma eps,    u = alpha' x_1 + sigma' eps.

Solving these two lines for the pair that is known gives every conversion here.

Each function returns a `jax.tree_util.Partial`: what is static (module, schedule, kind)
is compared by value, weights and arrays are leaves. So a field is an ordinary argument
of a jitted function, and new weights of the same shapes run the compiled code.
"""

from bespoke_jax.core.calls import as_field
from bespoke_jax.fields.guidance import guide, threshold
from bespoke_jax.fields.model import from_flax
from bespoke_jax.fields.prediction import (
    data_prediction,
    from_prediction,
    noise_prediction,
)
from bespoke_jax.fields.transforms import change_schedule, scale_time

__all__ = [
    "as_field",
    "change_schedule",
    "data_prediction",
    "from_flax",
    "from_prediction",
    "guide",
    "noise_prediction",
    "scale_time",
    "threshold",
]

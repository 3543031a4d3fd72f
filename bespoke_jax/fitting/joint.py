"""One family, or several with one theta, as `fit` sees them.

Of several, the geometric mean over the numbers of steps counts, in the loss and in the
score. Every number of steps then weighs alike, whatever the size of its error: what is
minimised is the mean logarithm of the errors relative to those at the start.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.families import Family, Joint
from bespoke_jax.fitting import losses

Fittable = Family | Joint
"""What `fit` takes."""


def members(family: Fittable) -> tuple[Family, ...]:
    """The families whose solvers are fitted."""
    return family.members if isinstance(family, Joint) else (family,)


def objective(
    loss: losses.Loss, family: Fittable, theta: Any, field: Any, paths: Any
) -> jax.Array:
    """The loss of a family, or the geometric mean of its values for several."""
    if isinstance(family, Family):
        return loss(family, theta, field, paths)
    each = [loss(member, theta, field, paths) for member in family.members]
    return jnp.exp(jnp.mean(jnp.log(jnp.stack(each))))


def score(errors: list[float]) -> float:
    """The error of a family, or the geometric mean of those of several."""
    if len(errors) == 1:
        return errors[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.exp(np.mean(np.log(errors))))


def check_loss(family: Fittable, loss: losses.Loss) -> None:
    """ValueError for a loss of several families that has no geometric mean."""
    plain = getattr(loss, "func", loss)
    if isinstance(family, Joint) and plain is losses.psnr:
        raise ValueError(
            "several numbers of steps are fitted to the geometric mean of a positive "
            "loss; psnr is the logarithm of mse: use losses.mse."
        )

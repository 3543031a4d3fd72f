"""Models for the tests of `--model`: a Gaussian, whose flow is x1 = 0.5 + 0.3 x0."""

import jax.numpy as jnp

from bespoke_jax import fields, schedules
from bespoke_jax.fields.model import Model

MEAN, STD = 0.5, 0.3


def velocity(t, x, c=None):
    t = jnp.reshape(jnp.asarray(t, x.dtype), (-1,) + (1,) * (x.ndim - 1))
    y = (x - t * MEAN) / ((t * STD) ** 2 + (1 - t) ** 2)
    return MEAN + t * STD**2 * y - (1 - t) * y


def gaussian():
    return Model(velocity, (4, 4, 1), schedule=schedules.CondOT(), name="gaussian")


def guided():
    """Guidance away from noise itself, by the weight of each sample."""
    return gaussian()._replace(
        field=fields.guide(
            velocity, lambda t, x: -x, weight=lambda c: jnp.asarray(c["w"])
        ),
        c=lambda key, n: {"w": jnp.ones(n)},
        name="guided",
    )


def narrow():
    return Model(lambda t, x: x[:, :2], (4, 4, 1))


def broken():
    raise TypeError("first line\nsecond line")


def number():
    return 3


def early():
    return gaussian()._replace(end=0.5)


def diverging():
    """States above 0 end infinite, those below at finite ones."""
    return Model(lambda t, x: jnp.where(x > 0, jnp.inf, -x), (1,), name="diverging")

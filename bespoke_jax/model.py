"""A model to be sampled: its velocity field and what a command needs to know of it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Model(NamedTuple):
    """What a function named by `--model` returns, and `demo.load` too.

    Only `field` and `shape` are required; see `bespoke_jax.fields` for making a field
    from a Flax network.
    """

    field: Any
    """Velocity field `field(t, x, c)`."""
    shape: tuple[int, ...]
    """One sample's shape, without the batch axis."""
    end: float = 1.0
    """Last time of the ODE, in (0, 1]; below 1 for noise and data predictions."""
    schedule: Any = None
    """The Gaussian path of the model; None is alpha_0 = 0, sigma_0 = 1."""
    data_range: float = 2.0
    """Largest minus smallest value of the data, for PSNR: 2 for images in [-1, 1]."""
    name: str = ""
    description: str = ""
    training_evaluations: int | None = None
    """Network evaluations that training cost, of single samples; None if unknown."""
    c: Any = None
    """`c(key, n)`: conditioning for n samples, leading axis n; None without any."""


def noise(model: Model, key: Any, n: int) -> tuple[jax.Array, Any]:
    """n initial states sigma_0 * N(0, I), shape (n, *shape), and their conditioning.

    The same key gives the same pair; a longer n is not an extension of a shorter one.

    Raises:
        ValueError: n < 1.
    """
    if n < 1:
        raise ValueError(f"the number of samples must be at least 1; got {n}")
    noise_key, c_key = jax.random.split(key)
    sigma_0 = 1.0 if model.schedule is None else float(model.schedule(0.0)[1])
    x0 = sigma_0 * jax.random.normal(noise_key, (n, *model.shape), jnp.float32)
    return x0, None if model.c is None else model.c(c_key, n)

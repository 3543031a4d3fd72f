"""A model to be sampled: its velocity field and what a command needs to know of it."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from bespoke_jax.core import checks
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import Arr, Conditioning


class Model(NamedTuple):
    """What a function named by `--model` returns, and `demo.load` too.

    Only `field` and `shape` are required; see `bespoke_jax.fields` for making a field
    from a Flax network.
    """

    field: VelocityField
    """Velocity field `field(t, x, c)`."""
    shape: tuple[int, ...]
    """One sample's shape, without the batch axis."""
    end: float = 1.0
    """Last time of the ODE, in (0, 1]; below 1 for noise and data predictions."""
    schedule: Schedule | None = None
    """The Gaussian path of the model; None is alpha_0 = 0, sigma_0 = 1."""
    data_range: float = 2.0
    """Largest minus smallest value of the data, for PSNR: 2 for images in [-1, 1]."""
    name: str = ""
    description: str = ""
    training_evaluations: int | None = None
    """Network evaluations that training cost, of single samples (forward 1, reverse 2
    more); None if unknown."""
    c: Callable[[jax.Array, int], Conditioning] | None = None
    """`c(key, n)`: conditioning for n samples, leading axis n; None without any."""
    start: float = 0.0
    """First time of the ODE, in [0, end); above 0 where noised data are the input."""
    x0: Callable[[jax.Array, int, float], Arr] | None = None
    """`x0(key, n, start)`: n initial states at time start, (n, *shape). None is
    sigma_0 * noise, which needs start = 0."""


def check_model(model: object) -> None:
    """Check a model except for its field, which `core.calls` checks where it is used.

    Raises:
        ValueError: naming the first entry that `Model` does not allow.
    """
    model = checks.instance("model", model, Model, "a Model(field=..., shape=...)")
    shape = model.shape
    if not isinstance(shape, tuple | list) or not shape:
        raise ValueError(
            "the model's shape must be a tuple of whole numbers, that of one sample; "
            f"got {checks.shown(shape)}."
        )
    for axis in shape:
        checks.whole("each axis of the model's shape", axis)
    end = checks.real("the model's end", model.end, above=0, most=1)
    checks.real("the model's start", model.start, least=0, below=end)
    checks.real("the model's data_range", model.data_range, above=0)
    if model.schedule is not None:
        checks.static_schedule("the model's schedule", model.schedule)
    for name in ("c", "x0"):
        if not (getattr(model, name) is None or callable(getattr(model, name))):
            raise ValueError(
                f"the model's {name} must be a function or None; got "
                f"{checks.shown(getattr(model, name))}."
            )
    for name in ("name", "description"):
        checks.instance(f"the model's {name}", getattr(model, name), str, "text")
    if model.training_evaluations is not None:
        trained = model.training_evaluations
        checks.whole("the model's training_evaluations", trained, least=0)


def noise(model: Model, key: jax.Array, n: int) -> tuple[jax.Array, Conditioning]:
    """n initial states (n, *shape) at the start of the model, and their conditioning.

    They are `model.x0`'s, else sigma_0 * N(0, I). The same key gives the same pair; a
    longer n is not an extension of a shorter one.

    Raises:
        ValueError: n < 1, a start outside [0, end) or without `x0` above 0, or an `x0`
            that returns another shape.
    """
    check_model(model)
    n = checks.whole("the number of samples", n, most=2**31 - 1)
    checks.random_key("key", key)
    noise_key, c_key = jax.random.split(key)
    x0 = states(model, noise_key, n)
    return x0, None if model.c is None else model.c(c_key, n)


def states(model: Model, key: jax.Array, n: int) -> jax.Array:
    """The initial states of `noise` from their own key."""
    if model.x0 is not None:
        x0 = jnp.asarray(model.x0(key, n, model.start))
        if x0.shape != (n, *model.shape):
            raise ValueError(
                f"x0(key, {n}, {model.start:g}) of the model must have shape "
                f"{(n, *model.shape)}; got {x0.shape}"
            )
        return x0
    if model.start > 0:
        raise ValueError(
            f"the model starts at t = {model.start:g}, where states are noised data: "
            "give Model(x0=...), a function of (key, n, start) that returns them"
        )
    sigma_0 = 1.0 if model.schedule is None else float(model.schedule(0.0)[1])
    return sigma_0 * jax.random.normal(key, (n, *model.shape), jnp.float32)

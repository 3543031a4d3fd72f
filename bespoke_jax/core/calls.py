"""How the library calls a field, and what it checks.

A field is `field(t, x)` or `field(t, x, c)` with t `(batch,)`, x `(batch, *shape)` and
c a pytree of per-sample conditioning; it returns an array of the shape of x. Samples
are independent: each velocity depends on its own t, x and c only. `evaluate`
verifies shapes and dtypes while JAX traces, at no cost at run time, and
`check_independent` verifies the rest once per run, on two real samples.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from jax.tree_util import Partial
from jaxtyping import Float, PyTree

from bespoke_jax.core.batches import rows
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import magnitude
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.types import Arr, Conditioning, Number

INDEPENDENCE_COST = 5
"""Network evaluations of single samples that `check_independent` spends."""

_ALONE, _NEIGHBOUR = 3e-2, 1e-4
"""Relative differences that rounding can explain: between a batch of one and a batch of
two, which run different programs (a bfloat16 network loses two digits there), and
between two batches of two, in which the same program sees the same sample."""


class FieldError(ValueError):
    """A field that raises, or returns something else than a velocity."""


@dataclass(frozen=True)
class _Static:
    """The non-array half of a callable pytree, such as an Equinox module."""

    rest: PyTree

    def __call__(self, arrays: PyTree, *args: PyTree) -> PyTree:
        return eqx.combine(arrays, self.rest)(*args)


def as_field(f: object) -> VelocityField:
    """A field or network in the one form that may be an argument of a jitted function.

    A callable pytree whose leaves are all arrays or numbers (a
    `jax.tree_util.Partial`) is returned unchanged. One with other leaves, such as an
    Equinox module with activation functions, is split: its arrays stay leaves and the
    rest is compared by value. A `functools.partial` over arrays becomes a `Partial`,
    so that its arrays are traced. Any other callable becomes `Partial(f)`: it is
    compared by identity (define it once, not in a loop), and arrays that it holds are
    constants of the compiled code.

    Raises:
      ValueError: for a Flax module (see `from_flax`), for what is not callable, and for
        an array of something else than numbers in it.
    """
    if isinstance(f, linen.Module | nnx.Module):
        raise ValueError(
            f"expected a field, got the Flax module {type(f).__name__}; "
            "make it one with bespoke_jax.fields.from_flax"
        )
    if not callable(f) or isinstance(f, type):
        raise ValueError(
            "expected a field: a function of (t, x) or (t, x, c), or a callable pytree "
            f"such as jax.tree_util.Partial; got {_described(f)}"
        )
    if isinstance(f, functools.partial) and not isinstance(f, Partial):
        bound = jax.tree.leaves((f.args, f.keywords))
        if all(isinstance(leaf, jax.Array | np.ndarray) for leaf in bound):
            return Partial(f.func, *f.args, **f.keywords)
        return Partial(f)
    if jax.tree_util.all_leaves([f]):
        return Partial(f)
    for leaf in jax.tree.leaves(f):
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "OSUmM":
            raise ValueError(f"a field holds numbers; got an array of {leaf.dtype}.")
    if all(eqx.is_array_like(leaf) for leaf in jax.tree.leaves(f)):
        return cast(VelocityField, f)
    arrays, rest = eqx.partition(f, eqx.is_array)
    try:
        hash(_Static(rest))
    except TypeError as error:
        raise ValueError(
            f"the field {type(f).__name__} holds something that is neither an array "
            f"nor hashable ({error}); give its fields tuples for lists"
        ) from error
    return Partial(_Static(rest), arrays)


def evaluate(
    field: VelocityField, t: Number | Arr, x: Arr, c: Conditioning = None
) -> jax.Array:
    """u(t, x) or u(t, x, c) in the dtype of x, with t broadcast to `(batch,)`.

    Raises:
      FieldError: the field raises, or does not return one floating-point array of the
        shape of x. Checked while JAX traces.
    """
    t = to_batch(t, x)
    try:
        out = field(t, x) if c is None else field(t, x, c)
    except FieldError:
        raise
    except Exception as error:
        raise FieldError(_raised(error, t, x, c)) from error
    return _checked(out, x)


velocity = jax.jit(evaluate)
"""`evaluate`, compiled."""


def to_batch(t: Number | Arr, x: Arr) -> Float[Arr, " batch"]:
    """A time or weight as `(batch,)`, as precise as x but never below float32."""
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    t = jnp.asarray(t, dtype)
    if t.shape not in ((), x.shape[:1]):
        raise FieldError(
            f"expected a scalar or one number per sample, {x.shape[:1]}; got "
            f"{t.shape}. Numbers that belong to the samples travel in c, which is cut "
            "into batches together with x"
        )
    return jnp.broadcast_to(t, x.shape[:1])


def per_sample(a: Arr, x: Arr) -> jax.Array:
    """A `(batch,)` array shaped so that it multiplies x."""
    return jnp.reshape(a, (-1,) + (1,) * (x.ndim - 1))


def as_states(x0: object, c: Conditioning = None, *, name: str = "x0") -> jax.Array:
    """Initial states as float32 or better, after checking their form and that of c.

    Raises:
      ValueError: x0 is not one floating-point array (batch, *shape) with batch >= 1,
        or a leaf of c does not have its leading axis.
    """
    if not isinstance(x0, jax.Array | np.ndarray | list | tuple | float | np.generic):
        raise ValueError(
            f"{name} must be one array of shape (batch, *shape); got {_described(x0)}. "
            "A state of several arrays has to be raveled into one: "
            "jax.flatten_util.ravel_pytree does it for one sample"
        )
    try:
        x0 = jnp.asarray(x0)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be one array of shape (batch, *shape); got {_described(x0)} "
            f"({_first_line(error)})"
        ) from error
    if x0.ndim == 0 or x0.shape[0] < 1 or not jnp.issubdtype(x0.dtype, jnp.floating):
        raise ValueError(
            f"{name} must be a floating-point array of shape (batch, *shape) with "
            f"batch >= 1; got dtype {x0.dtype}, shape {x0.shape}."
        )
    if x0.size == 0:
        raise ValueError(f"{name} has no numbers in a sample: shape {x0.shape}.")
    for leaf in jax.tree.leaves(c):
        if jnp.ndim(leaf) == 0 or jnp.shape(leaf)[0] != x0.shape[0]:
            raise ValueError(
                f"every leaf of c must have the leading axis batch = {x0.shape[0]} of "
                f"{name}; got a leaf of shape {jnp.shape(leaf)}."
            )
    return x0.astype(jnp.promote_types(x0.dtype, jnp.float32))


def check_independent(
    field: VelocityField, x0: Arr, c: Conditioning, start: float, end: float
) -> None:
    """Check that the velocity of a sample does not depend on the rest of its batch.

    Two samples are evaluated separately and together, at a cost of
    `INDEPENDENCE_COST` evaluations.

    Raises:
      ValueError: the velocities differ by more than rounding can explain (the message
        gives the relative difference), or are not finite.
    """
    a, b = rows((x0, c), np.array([0])), rows((x0, c), np.array([min(1, len(x0) - 1)]))
    if len(x0) == 1:
        b = (-b[0], b[1])
    t = jnp.asarray([start + share * (end - start) for share in (0.1, 0.6)], x0.dtype)
    twice = lambda p, q: jax.tree.map(lambda p, q: jnp.concatenate([p, q]), p, q)
    mixed = to_host(velocity(field, t, *twice(a, b)))[0]
    alone = to_host(velocity(field, t[:1], *a))[0]
    paired = to_host(velocity(field, t[:1].repeat(2), *twice(a, a)))[0]
    if not np.isfinite(alone).all():
        raise ValueError(
            f"the field is not finite at t = {float(t[0]):.3g} on the first of x0. "
            "Check the weights, or a prediction that divides by zero there."
        )
    size = max(magnitude(alone), 1e-30)
    change = lambda other: magnitude(other - alone) / size
    neighbour = magnitude(mixed - paired) / size
    difference = max(neighbour, change(mixed))
    # A comparison with nan is False: "not <=" refuses it.
    if not (neighbour <= _NEIGHBOUR and change(mixed) <= _ALONE):
        raise ValueError(
            "the samples of a batch are not independent: the velocity of one changes "
            f"by {difference:.2g} of its size with the time or the other samples. A "
            "field must compute each sample from its own t, x and c: t has shape "
            "(batch,), so t[:, None] multiplies x of shape (batch, d); numbers that "
            "belong to the samples travel in c; batch normalisation needs evaluation "
            "mode."
        )


def _checked(out: Any, x: Arr) -> jax.Array:
    if isinstance(out, float | int):
        out = np.asarray(out, np.float32)
    if not (hasattr(out, "shape") and hasattr(out, "dtype")):
        raise FieldError(
            f"the field must return one array of the shape of x, {x.shape}; got "
            f"{_described(out)}. Wrap it in a function that returns its velocity"
        )
    if out.shape != x.shape or not jnp.issubdtype(out.dtype, jnp.floating):
        raise FieldError(
            f"the field must return the shape of x, {x.shape}, in floating point; got "
            f"{out.shape}, {out.dtype} (split off further outputs, such as a learned "
            "variance, before; numbers that belong to the samples travel in c)"
        )
    return jnp.asarray(out).astype(x.dtype)


def _raised(error: Exception, t: Arr, x: Arr, c: Conditioning) -> str:
    shapes = f"t {t.shape}, x {x.shape}"
    if c is not None:
        shapes += f", c {jax.tree.map(jnp.shape, c)}"
    return (
        f"the field raised {type(error).__name__} for {shapes}: {_first_line(error)} "
        "(times come one per sample: t[:, None] multiplies x of shape (batch, d); "
        "arrays of one entry per sample must travel in c)"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0][:300].rstrip(".")


def _described(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} with the keys {', '.join(map(str, value))}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} entries"
    if isinstance(value, type):
        return f"the class {value.__name__}, not an instance of it"
    return f"an object of type {type(value).__name__}"

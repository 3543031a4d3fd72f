"""What all fields share: accepting a callable, calling it, times and coefficients."""

import difflib
import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from jax.tree_util import Partial
from jaxtyping import Float

from bespoke_jax._types import Arr, Conditioning, Schedule, State


def as_field(f: Any) -> Callable[..., Any]:
    """A field or network in the one form that may be an argument of a jitted function.

    A callable that is a pytree (a `jax.tree_util.Partial`) is returned unchanged. A
    `functools.partial` over arrays becomes one, so that its arrays are traced. Any
    other callable becomes `Partial(f)`: it is compared by identity (define it once,
    not in a loop), and arrays that it holds are constants of the compiled code.

    Raises:
      ValueError: for a Flax module (see `from_flax`) and for what is not callable.
    """
    if isinstance(f, linen.Module | nnx.Module):
        raise ValueError(
            f"expected a field, got the Flax module {type(f).__name__}; "
            "make it one with bespoke_jax.fields.from_flax"
        )
    if callable(f) and not jax.tree_util.all_leaves([f]):
        return f
    if isinstance(f, functools.partial):
        bound = jax.tree.leaves((f.args, f.keywords))
        if all(isinstance(leaf, jax.Array | np.ndarray) for leaf in bound):
            return Partial(f.func, *f.args, **f.keywords)
    if callable(f):
        return Partial(f)
    raise ValueError(
        "expected a field: a function of (t, x) or (t, x, c), or a callable pytree "
        f"such as jax.tree_util.Partial; got {type(f).__name__}"
    )


def as_callable(f: Any, name: str) -> Callable[..., Any]:
    """`as_field` for functions of time: any callable that is no pytree is static."""
    if not callable(f):
        raise ValueError(f"{name} must be callable; got {type(f).__name__}")
    return Partial(f) if jax.tree_util.all_leaves([f]) else f


def evaluate(network: Callable, t: Any, x: State, c: Conditioning = None) -> State:
    """One network call, `network(t, x)` or `network(t, x, c)`, in the dtype of x."""
    out = jnp.asarray(network(t, x) if c is None else network(t, x, c))
    if out.shape != x.shape:
        raise ValueError(
            f"the network must return the shape of x, {x.shape}; got {out.shape} "
            "(split off further outputs, such as a learned variance, before)"
        )
    return out.astype(x.dtype)


def to_batch(t: Any, x: State) -> Float[Arr, " batch"]:
    """A time or weight as `(batch,)`, as precise as x but never below float32."""
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    t = jnp.asarray(t, dtype)
    if t.shape not in ((), x.shape[:1]):
        raise ValueError(
            f"expected a scalar or one number per sample, {x.shape[:1]}; got {t.shape}"
        )
    return jnp.broadcast_to(t, x.shape[:1])


def per_sample(a: Any, x: State) -> jax.Array:
    """A `(batch,)` array shaped so that it multiplies x."""
    return jnp.reshape(a, (-1,) + (1,) * (x.ndim - 1))


def coefficients(schedule: Schedule, t: Any, x: State) -> tuple[Any, Any, Any, Any]:
    """(alpha, sigma, alpha', sigma') at times `(batch,)`, shaped to multiply x."""
    alpha, sigma, d_alpha, d_sigma = (
        per_sample(a, x) for a in (*schedule(t), *schedule.rates(t))
    )
    return alpha, sigma, d_alpha, d_sigma


def check_name(what: str, name: Any, known: Iterable[str]) -> None:
    """ValueError with the nearest known names when `name` is not one of them."""
    known = list(known)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"{what} must be one of {known}, got {name!r}{hint}")

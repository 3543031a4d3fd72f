"""Counts the network evaluations of a function in its jaxpr.

The unit is one evaluation of a single sample: a forward pass is 1, a reverse pass 2
more, and a forward pass that is recomputed for a gradient is 1 again. The function is
traced on a stand-in for the field whose passes carry names; nothing is compiled and no
network is run.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn
from jax.tree_util import Partial
from jaxtyping import PyTree

from bespoke_jax.core.types import Arr

FORWARD, REVERSE = 1, 2
"""Cost of a forward pass, and what a reverse pass adds to it."""


class Passes(NamedTuple):
    """Passes through the field, of single samples."""

    forward: int
    reverse: int
    adaptive: bool
    """Whether a loop of unknown length (`while`) evaluates the field; not counted."""

    @property
    def evaluations(self) -> int:
        """Network evaluations; without those of adaptive loops."""
        return FORWARD * self.forward + REVERSE * self.reverse


def passes(
    f: Callable[..., PyTree], x: Arr | jax.ShapeDtypeStruct, *args: PyTree
) -> Passes:
    """The passes of `f(field, *args)`.

    Args:
        f: a JAX function that calls its field through `core.calls.evaluate`; it may
            contain gradients.
        x: states (batch, *shape): the size of a sample.
        *args: arrays, or `jax.ShapeDtypeStruct`s in their place.
    """
    jaxpr = jax.make_jaxpr(lambda *args: f(_STAND_IN, *args))(*args)
    return _count(jaxpr.jaxpr, x.size // x.shape[0])


def _forward(t, x):
    """A velocity that depends on both arguments, and the residuals of its gradient."""
    tilt = jnp.sin(x) + jnp.reshape(jnp.cos(t), (-1,) + (1,) * (x.ndim - 1))
    return tilt * x, (t, tilt)


def _reverse(residual, g):
    t, tilt = residual
    return jnp.sum((g * tilt).reshape(t.size, -1), 1).astype(t.dtype), g * tilt


_forward_pass = jax.jit(_forward)
_reverse_pass = jax.jit(_reverse)


@jax.custom_vjp
def _velocity(t, x):
    return _forward_pass(t, x)[0]


_velocity.defvjp(_forward_pass, _reverse_pass)


def _field(t, x, c=None):
    del c
    return _velocity(t, x)


_STAND_IN = Partial(_field)


def _count(jaxpr: Jaxpr, sample: int) -> Passes:
    total = Passes(0, 0, False)
    for eqn in jaxpr.eqns:
        name = eqn.params.get("name")
        if name in (_forward.__name__, _reverse.__name__):
            sizes = [math.prod(getattr(var.aval, "shape", ())) for var in eqn.outvars]
            # Without outputs it is dead code, which the compiler removes.
            rows = max(sizes, default=0) // sample
            one = Passes(rows, 0, False), Passes(0, rows, False)
            total = _add(total, one[name == _reverse.__name__])
            continue
        inner = [_count(sub, sample) for sub in _within(eqn)]
        if not inner:
            continue
        if eqn.primitive.name == "while":
            seen = any(sub.evaluations or sub.adaptive for sub in inner)
            total = _add(total, Passes(0, 0, seen))
        elif eqn.primitive.name == "cond":
            total = _add(total, max(inner, key=lambda sub: sub.evaluations))
        else:
            times = eqn.params["length"] if eqn.primitive.name == "scan" else 1
            for sub in inner:
                forward, reverse = times * sub.forward, times * sub.reverse
                total = _add(total, Passes(forward, reverse, sub.adaptive))
    return total


def _within(eqn: JaxprEqn) -> list[Jaxpr]:
    """The jaxprs inside an equation; derivative rules are functions, not jaxprs."""
    leaves = jax.tree.leaves(
        list(eqn.params.values()),
        is_leaf=lambda leaf: isinstance(leaf, Jaxpr | ClosedJaxpr),
    )
    return [
        leaf.jaxpr if isinstance(leaf, ClosedJaxpr) else leaf
        for leaf in leaves
        if isinstance(leaf, Jaxpr | ClosedJaxpr)
    ]


def _add(a: Passes, b: Passes) -> Passes:
    return Passes(
        a.forward + b.forward, a.reverse + b.reverse, a.adaptive or b.adaptive
    )

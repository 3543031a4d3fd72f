"""What several fields use: functions of time, coefficients of a path, network times."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Int, PyTree

from bespoke_jax.core import endpoints
from bespoke_jax.core.calls import per_sample, to_batch
from bespoke_jax.core.checks import shown
from bespoke_jax.core.endpoints import Endpoints
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import Arr, BatchTime, Conditioning, State

NetworkTime = BatchTime | Int[Arr, " batch"]
"""The time argument of a network: that of a field, or integer levels."""


def as_callable(f: object, name: str) -> Callable:
    """`as_field` for functions of time: a callable that is not a pytree is static."""
    if not callable(f) or isinstance(f, type):
        raise ValueError(f"{name} must be a function; got {shown(f)}.")
    return Partial(f) if jax.tree_util.all_leaves([f]) else f


def coefficients(schedule: Schedule, t: Arr, x: State) -> Endpoints:
    """The path at times `(batch,)`, shaped to multiply x."""
    return Endpoints(*(per_sample(a, x) for a in endpoints.at(schedule, t)))


def with_time(network: VelocityField, tau: NetworkTime) -> VelocityField:
    """The network at times `tau`, as a field that ignores its own time.

    `evaluate` casts times to floating point; here integers, such as the levels of a
    DDPM, stay integers.
    """

    def at_tau(t: BatchTime, x: State, c: Conditioning = None) -> PyTree:
        if jnp.issubdtype(getattr(tau, "dtype", float), jnp.integer):
            own = jnp.broadcast_to(tau, x.shape[:1])
        else:
            own = to_batch(tau, x)
        return network(own, x) if c is None else network(own, x, c)

    return at_tau

"""Classifier-free guidance and dynamic thresholding: field -> field."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from bespoke_jax._types import BatchTime, Conditioning, Schedule, State
from bespoke_jax.core.calls import as_field, evaluate, per_sample, to_batch
from bespoke_jax.fields.base import coefficients


def guide(
    conditional: Any,
    unconditional: Any = None,
    weight: Any = 1.0,
    *,
    null: Conditioning = None,
) -> Partial:
    """Classifier-free guidance: u + w (u - u_uncond), with w = 0 the conditional field.

    Two forms. With two fields, `conditional(t, x, c)` and `unconditional(t, x)` are two
    calls; the unconditional one never sees c. With one field and `null`, both
    evaluations are one call on twice the batch: the samples with c, then with `null`.

    Args:
      conditional: the field u; called without c when there is none.
      unconditional: the field u_uncond, or None when `null` is given.
      weight: w, a scalar or `(batch,)`; a leaf, so new weights do not recompile. A
        weight that travels with the samples goes into c: make the guided field in a
        function of (t, x, c) that takes the weight out of c.
      null: conditioning of the unconditional model for one sample: the structure of c,
        leaves without the batch axis or with a batch axis of 1.

    Raises:
      ValueError: unless exactly one of `unconditional` and `null` is given, for a
        weight of more than one axis, and at the call where `null` and c do not match.

    Reference: Ho and Salimans (2022), arXiv 2207.12598, equation 6, in velocities.
    """
    conditional = as_field(conditional)
    weight = jnp.asarray(weight, float)
    if weight.ndim > 1:
        raise ValueError(f"weight must be a scalar or (batch,); got {weight.shape}")
    if (unconditional is None) == (null is None):
        raise ValueError(
            "guide needs exactly one of unconditional (a second field) and null (the "
            "conditioning that means none); got "
            + ("neither" if null is None else "both")
        )
    if null is None:
        return Partial(_two_calls, conditional, as_field(unconditional), weight)
    return Partial(_one_call, conditional, null, weight)


def _combine(u, u_uncond, weight, x):
    w = per_sample(to_batch(weight, x), x)
    return (u + w * (u - u_uncond)).astype(x.dtype)


def _two_calls(
    conditional: Callable,
    unconditional: Callable,
    weight: Any,
    t: BatchTime,
    x: State,
    c: Conditioning = None,
) -> State:
    t = to_batch(t, x)
    u = evaluate(conditional, t, x, c)
    return _combine(u, evaluate(unconditional, t, x), weight, x)


def _one_call(
    conditional: Callable,
    null: Any,
    weight: Any,
    t: BatchTime,
    x: State,
    c: Conditioning = None,
) -> State:
    got, known = jax.tree.structure(c), jax.tree.structure(null)
    if got != known:
        raise ValueError(
            f"guide: c must have the structure of null, {known}; got {got}"
        )
    twice = lambda a, b: jnp.concatenate([a, b])
    with_null = lambda a, b: twice(
        a, jnp.broadcast_to(jnp.asarray(b, a.dtype), a.shape)
    )
    t = to_batch(t, x)
    c = jax.tree.map(with_null, jax.tree.map(jnp.asarray, c), null)
    u, u_uncond = jnp.split(evaluate(conditional, twice(t, t), twice(x, x), c), 2)
    return _combine(u, u_uncond, weight, x)


@dataclass(frozen=True)
class _Threshold:
    schedule: Schedule
    quantile: float
    maximum: float

    def __call__(
        self, field: Callable, t: BatchTime, x: State, c: Conditioning = None
    ) -> State:
        t = to_batch(t, x)
        u = evaluate(field, t, x, c)
        alpha, sigma, d_alpha, d_sigma = coefficients(self.schedule, t, x)
        w = sigma * d_alpha - alpha * d_sigma
        x_1 = (sigma * u - d_sigma * x) / w
        size = jnp.quantile(
            jnp.abs(x_1).reshape(x.shape[0], -1), self.quantile, axis=-1
        )
        s = per_sample(jnp.maximum(size, self.maximum), x)
        clipped = jnp.clip(x_1, -s, s) * (self.maximum / s)
        # With eps = (x - alpha x_1)/sigma, du = (W/sigma) dx_1: u comes back bitwise
        # where nothing is clipped. At sigma = 0 the path leaves no room to move x_1.
        inside = sigma > 0
        gain = jnp.where(inside, w / jnp.where(inside, sigma, 1), 0)
        return (u + gain * (clipped - x_1)).astype(x.dtype)


def threshold(
    field: Any, schedule: Schedule, quantile: float = 0.995, maximum: float = 1.0
) -> Partial:
    """Dynamic thresholding of the field's data prediction, sample by sample.

        s = max(quantile of |x_1|, maximum),    x_1 <- clip(x_1, -s, s) maximum / s,
        eps <- (x - alpha x_1) / sigma,         u = alpha' x_1 + sigma' eps

    A sample whose prediction stays within `maximum` keeps its velocity bitwise. At
    sigma = 0, where x is x_1 already, the field is left as it is.

    Args:
      field: the field, of any kind of model.
      schedule: the path of the field.
      quantile: in [0, 1], of the absolute values of one sample.
      maximum: the range of the data, > 0: data lie in [-maximum, maximum].

    Raises:
      ValueError: for a quantile outside [0, 1] or a maximum <= 0.

    Reference: Saharia et al. (2022), arXiv 2205.11487, section 2.3.
    """
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile must lie in [0, 1]; got {quantile}")
    if not maximum > 0:
        raise ValueError(f"maximum must be positive; got {maximum}")
    return Partial(
        _Threshold(schedule, float(quantile), float(maximum)), as_field(field)
    )

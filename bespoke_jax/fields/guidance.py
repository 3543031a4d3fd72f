"""Guidance: fields combined with their less conditioned or weaker versions.

Everything here is u + sum_k w_k (u_k - u_(k-1)), where u_K = u is the field itself and
the others are less conditioned. With all weights 0 the field is unchanged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import PyTree

from bespoke_jax.core import checks
from bespoke_jax.core.calls import FieldError, as_field, evaluate, per_sample, to_batch
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import BatchTime, Conditioning, State
from bespoke_jax.fields.base import as_callable, coefficients
from bespoke_jax.fields.knowledge import agree, jumps_of, schedule_of

Weight = jax.Array | Callable[[Conditioning], jax.Array]
"""A number, or a function of c that returns one number per sample."""


def guide(
    conditional: VelocityField,
    unconditional: VelocityField | None = None,
    weight: object = 1.0,
    *,
    weak: VelocityField | None = None,
    null: PyTree = None,
    interval: tuple[float, float] | None = None,
    rescale: float = 0.0,
    schedule: Schedule | None = None,
) -> Partial:
    """Guidance by one other prediction: u + w (u - u_0), with w = 0 the field u.

    Exactly one of three arguments says what u_0 is:

    - `unconditional`, a field `(t, x)` that never sees c (classifier-free guidance);
    - `weak`, a field `(t, x, c)` that sees the same c (autoguidance: a smaller or less
      trained version of the model);
    - `null`, the conditioning that means none (or a negative prompt) for the
      conditional field itself. Both evaluations are then one call on twice the batch:
      the samples with c, then with null.

    Programs that write u_0 + g (u - u_0) have g = 1 + w.

    Args:
      conditional: the field u; called without c when there is none.
      unconditional: see above.
      weight: w, a number (a leaf: new weights do not recompile), or a function of c
        that returns `(batch,)`, as `lambda c: c["w"]`: numbers that belong to the
        samples travel in c, which is cut into batches together with x.
      weak: see above.
      null: the structure of c with leaves for one sample, without the batch axis or
        with a batch axis of 1; or a function of c that returns it, with or without the
        batch axis, as `lambda c: {**c, "text": c["negative"]}`.
      interval: (low, high) in library time; w = 0 outside of low <= t < high (high = 1
        includes t = 1). Both evaluations are made at all times. For an interval of
        noise levels: `schedule.time_at_nsr(sigma)`.
      rescale: phi in [0, 1]: the v-prediction of the guided field, v = alpha eps -
        sigma x_1, is scaled towards the standard deviation that it has without
        guidance, sample by sample: v <- (phi std(v_u) / std(v) + 1 - phi) v. On
        variance-preserving paths this scales u itself, which is -v up to a factor.
      schedule: the path of the field, needed by `rescale`.

    Raises:
      ValueError: unless exactly one of `unconditional`, `weak` and `null` is given, for
        a weight with a batch axis, an interval that is not one, a phi outside [0, 1] or
        without a schedule; and at the call where `null` and c do not match.

    Reference: Ho and Salimans (2022), arXiv 2207.12598, equation 6, in velocities;
    Karras et al. (2024), arXiv 2406.02507 (weak); Kynkaanniemi et al. (2024), arXiv
    2404.07724, equation 5 (interval); Lin et al. (2023), arXiv 2305.08891, equations
    15 and 16 (rescale).
    """
    others = {"unconditional": unconditional, "weak": weak, "null": null}
    given = [name for name, other in others.items() if other is not None]
    if len(given) != 1:
        raise ValueError(
            "guide needs exactly one of unconditional (a field without c), weak (a "
            "field that sees c) and null (the conditioning that means none); got "
            + (" and ".join(given) if given else "none")
        )
    style = _style(interval, rescale, schedule)
    if null is not None:
        return compose(
            conditional,
            [null],
            [weight],
            interval=interval,
            rescale=rescale,
            schedule=schedule,
        )
    return Partial(
        _Guided(style, sees_c=weak is not None),
        as_field(conditional),
        as_field(weak if unconditional is None else unconditional),
        _weight(weight),
    )


def compose(
    field: VelocityField,
    nulls: Sequence[PyTree],
    weights: Sequence[object],
    *,
    interval: tuple[float, float] | None = None,
    rescale: float = 0.0,
    schedule: Schedule | None = None,
) -> Partial:
    """Guidance by several conditions with own weights, in one call.

        u + sum_(k=1)^K w_k (u_k - u_(k-1)),    u_k = u(t, x, null_k(c)),    u_K = u

    The conditionings go from the one that says least, `nulls[0]`, to c. With K = 1 this
    is `guide(field, null=nulls[0])`. InstructPix2Pix has K = 2: `nulls` are (neither
    image nor text, the image alone), `weights` (s_image - 1, s_text - 1).

    Args:
      field: `field(t, x, c)`.
      nulls: K conditionings or functions of c, each as `null` of `guide`.
      weights: K numbers or functions of c, each as `weight` of `guide`.
      interval, rescale, schedule: as in `guide`.

    Raises:
      ValueError: for no nulls or another number of weights; and as `guide`.

    Reference: Brooks et al. (2023), arXiv 2211.09800, equation 3.
    """
    for name, given in (("nulls", nulls), ("weights", weights)):
        checks.instance(name, given, list | tuple, "a list")
    if not nulls or len(nulls) != len(weights):
        raise ValueError(
            f"compose needs one weight per null; got {len(nulls)} nulls and "
            f"{len(weights)} weights"
        )
    nulls = tuple(as_callable(n, "null") if callable(n) else n for n in nulls)
    return Partial(
        _Composed(_style(interval, rescale, schedule)),
        as_field(field),
        nulls,
        tuple(map(_weight, weights)),
    )


def _weight(weight: object) -> Weight:
    if callable(weight):
        return as_callable(weight, "weight")
    weight = jnp.asarray(checks.numbers("weight", weight), float)
    if weight.ndim:
        raise ValueError(
            f"weight must be one number, or a function of c; got shape {weight.shape}. "
            'Weights that belong to the samples travel in c: weight=lambda c: c["w"]'
        )
    return weight


@dataclass(frozen=True)
class _Style:
    """Where and how differences are added: static, compared by value."""

    interval: tuple[float, float] | None
    rescale: float
    schedule: Schedule | None

    def combine(self, u, differences, weights: Sequence[Weight], t, x, c):
        """u + sum_k w_k differences_k, inside of the interval, rescaled."""
        guided = u
        for weight, difference in zip(weights, differences, strict=True):
            w = to_batch(weight(c) if callable(weight) else weight, x)
            if self.interval is not None:
                low, high = self.interval
                w = jnp.where((t >= low) & ((t < high) | (high == 1)), w, 0)
            guided = guided + per_sample(w, x) * difference
        return (self._rescaled(guided, u, t, x) if self.rescale else guided).astype(
            x.dtype
        )

    def _rescaled(self, guided, u, t, x):
        assert self.schedule is not None
        path = coefficients(self.schedule, t, x)
        alpha, sigma, d_alpha, d_sigma = path
        w, r = path.W, alpha**2 + sigma**2
        v = lambda u: ((alpha * d_alpha + sigma * d_sigma) * x - r * u) / w
        axes = tuple(range(1, x.ndim))
        std = lambda v: jnp.std(v, axis=axes, keepdims=True)
        of_guided = std(v(guided))
        # A constant v has nothing to scale.
        ratio = jnp.where(
            of_guided > 0, std(v(u)) / jnp.where(of_guided > 0, of_guided, 1), 1
        )
        return guided - (w / r) * self.rescale * (ratio - 1) * v(guided)

    def jumps(self) -> tuple[float, ...]:
        return self.interval or ()


def _style(interval, rescale, schedule) -> _Style:
    if interval is not None:
        checks.numbers("interval", interval)
        interval = tuple(float(t) for t in np.ravel(interval))
        if len(interval) != 2 or not 0 <= interval[0] < interval[1] <= 1:
            raise ValueError(
                "interval must be (low, high) with 0 <= low < high <= 1 in library "
                f"time, 0 at the noise; got {interval}"
            )
    rescale = checks.real("rescale", rescale, least=0, most=1)
    if rescale and schedule is None:
        raise ValueError(
            "rescale acts on the v-prediction, alpha eps - sigma x_1: give schedule=, "
            "the path of the field"
        )
    if schedule is not None:
        checks.static_schedule("schedule", schedule)
    return _Style(interval, rescale, schedule)


@dataclass(frozen=True)
class _Guided:
    style: _Style
    sees_c: bool

    def __call__(
        self,
        conditional: VelocityField,
        other: VelocityField,
        weight: Weight,
        t: BatchTime,
        x: State,
        c: Conditioning = None,
    ) -> State:
        t = to_batch(t, x)
        u = evaluate(conditional, t, x, c)
        u_0 = evaluate(other, t, x, c if self.sees_c else None)
        return self.style.combine(u, [u - u_0], [weight], t, x, c)

    def path(
        self, conditional: VelocityField, other: VelocityField, weight: Weight
    ) -> Schedule | None:
        return agree(self.style.schedule, schedule_of(conditional), schedule_of(other))

    def jumps(
        self, conditional: VelocityField, other: VelocityField, weight: Weight
    ) -> tuple[float, ...]:
        return (*self.style.jumps(), *jumps_of(conditional), *jumps_of(other))


@dataclass(frozen=True)
class _Composed:
    style: _Style

    def __call__(
        self,
        field: VelocityField,
        nulls: tuple,
        weights: tuple,
        t: BatchTime,
        x: State,
        c: Conditioning = None,
    ) -> State:
        t, n = to_batch(t, x), len(nulls) + 1
        c = jax.tree.map(jnp.asarray, c)
        rows = [c, *(_like(null, c) for null in nulls)]
        stack = lambda *parts: jnp.concatenate(parts)
        out = evaluate(
            field, stack(*n * [t]), stack(*n * [x]), jax.tree.map(stack, *rows)
        )
        u, *less = jnp.split(out, n)
        differences = [b - a for a, b in zip(less, [*less[1:], u], strict=True)]
        return self.style.combine(u, differences, weights, t, x, c)

    def path(
        self, field: VelocityField, nulls: tuple, weights: tuple
    ) -> Schedule | None:
        return agree(self.style.schedule, schedule_of(field))

    def jumps(
        self, field: VelocityField, nulls: tuple, weights: tuple
    ) -> tuple[float, ...]:
        return (*self.style.jumps(), *jumps_of(field))


def _like(null: PyTree, c: Conditioning) -> Conditioning:
    """The null conditioning of every sample, in the shapes and dtypes of c."""
    of_c = callable(null)
    null = null(c) if of_c else null
    got, known = jax.tree.structure(c), jax.tree.structure(null)
    if got != known:
        raise FieldError(
            f"guide: c must have the structure of null, {known}; got {got}"
        )

    def like(null, c):
        null, one = jnp.asarray(null, c.dtype), c.shape[1:]
        batched = null.ndim == c.ndim
        if batched and null.shape[0] != 1 and not of_c:
            raise FieldError(
                f"guide: null describes one sample, {one} or {(1, *one)}; got "
                f"{null.shape}. A null that differs between samples travels in c and "
                'is given as a function of it: null=lambda c: {**c, "text": '
                'c["negative"]}'
            )
        try:
            return jnp.broadcast_to(null, c.shape)
        except ValueError as error:
            raise FieldError(
                f"guide: null must have the shape of one sample of c, {one}; got "
                f"{null.shape}"
            ) from error

    return jax.tree.map(like, null, c)

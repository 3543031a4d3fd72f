"""Two fields, each on its own part of the time: field -> field."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from bespoke_jax.core.calls import as_field, evaluate, per_sample, to_batch
from bespoke_jax.core.checks import real
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import BatchTime, Conditioning, State
from bespoke_jax.fields.knowledge import agree, jumps_of, schedule_of


def switch(early: VelocityField, late: VelocityField, boundary: float) -> Partial:
    """The field `early` for t < boundary and `late` from there on.

    For models of two networks, such as Wan 2.2 with a high-noise and a low-noise one.
    Where all times of a batch are on one side, as in `sample`, only the network of that
    side runs; a batch with times on both sides, or a vmapped call, runs both.

    Args:
      early: the field near the noise.
      late: the field near the data.
      boundary: the time of the switch in library time, in (0, 1). A boundary tau in
        time from data to noise is 1 - tau.

    Raises:
      ValueError: for a boundary outside (0, 1).
    """
    boundary = real("boundary", boundary, above=0, below=1)
    return Partial(_Switch(boundary), as_field(early), as_field(late))


@dataclass(frozen=True)
class _Switch:
    boundary: float

    def __call__(
        self,
        early: VelocityField,
        late: VelocityField,
        t: BatchTime,
        x: State,
        c: Conditioning = None,
    ) -> State:
        t = to_batch(t, x)
        is_early = t < self.boundary
        # Two conditions with one network each: under vmap, where a condition computes
        # both of its branches, each network still runs once.
        run = lambda field: lambda: evaluate(field, t, x, c)
        rest = lambda: jnp.zeros_like(x)
        u_early = jax.lax.cond(jnp.any(is_early), run(early), rest)
        u_late = jax.lax.cond(jnp.all(is_early), rest, run(late))
        return jnp.where(per_sample(is_early, x), u_early, u_late)

    def path(self, early: VelocityField, late: VelocityField) -> Schedule | None:
        return agree(schedule_of(early), schedule_of(late))

    def jumps(self, early: VelocityField, late: VelocityField) -> tuple[float, ...]:
        before = (t for t in jumps_of(early) if t < self.boundary)
        after = (t for t in jumps_of(late) if t > self.boundary)
        return (*before, self.boundary, *after)

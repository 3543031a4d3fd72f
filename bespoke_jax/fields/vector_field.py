"""Vector fields of diffrax as fields."""

import equinox as eqx
import jax
from jax.tree_util import Partial
from jaxtyping import PyTree

from bespoke_jax.core.calls import as_field
from bespoke_jax.core.checks import shown
from bespoke_jax.core.types import BatchTime, Conditioning, State


class _VectorField(eqx.Module):
    # Flat, as a dict in `args` has no hash.
    leaves: tuple[object, ...]
    treedef: PyTree = eqx.field(static=True)

    def __call__(self, t: BatchTime, x: State, c: Conditioning = None) -> State:
        vf, args = jax.tree.unflatten(self.treedef, self.leaves)
        if c is None:
            return jax.vmap(lambda t, y: vf(t, y, args))(t, x)
        return jax.vmap(vf)(t, x, c)


def from_diffrax(vf: object, args: PyTree = None) -> Partial:
    """The field of `vf(t, y, args)`, a vector field of diffrax for one sample.

    It is vmapped over t, x and c. Where c is given it takes the place of `args`, one
    slice per sample. The arrays of `vf` and `args` (an Equinox module, weights) are
    leaves of the result, everything else is compared by value. Times run from noise,
    t = 0, to data: a vector field that is solved from t1 = 1 down to 0 goes through
    `reverse`.

    Args:
      vf: the function inside `diffrax.ODETerm(vf)`, t a scalar, y of shape `shape`.
      args: what `diffeqsolve(..., args=args)` is given, shared by all samples.

    Raises:
      ValueError: when `vf` is not callable, or something in `args` is neither an array
        nor hashable.
    """
    if not callable(vf) or isinstance(vf, type):
        raise ValueError(
            "expected the function of diffrax.ODETerm(vf), vf(t, y, args); got "
            f"{shown(vf)}."
        )
    leaves, treedef = jax.tree.flatten((vf, args))
    field = as_field(_VectorField(tuple(leaves), treedef))
    return field if isinstance(field, Partial) else Partial(field)

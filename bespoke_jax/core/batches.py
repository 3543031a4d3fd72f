"""Batches of per-sample arrays, all of one size, with the sharding of the full arrays.

One size for all batches means one compiled program. Indexing an array that is sharded
over its samples gives a replicated array, with which every device would do all the
work; `rows` and `batches` shard each batch as the full array is sharded. Samples whose
number does not divide by the devices are replicated: batches of them are filled up and
sharded by `like`, the array that they were taken from.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Int, PyTree

from bespoke_jax.core.types import Arr

Part = TypeVar("Part", bound=Arr)
Index = slice | Int[Arr, " batch"]
"""Which samples: integers, or a slice."""


def rows(tree: PyTree, index: Index, like: Arr | None = None) -> PyTree:
    """The samples at `index` (integers or a slice) of every leaf of a pytree.

    A concrete leaf that is sharded over several devices gives a batch with the same
    sharding where the batch divides by the shards of the sample axis, or, with `like`,
    a batch sharded as that array is.
    """
    return jax.tree.map(
        lambda leaf: place_like(_taken(leaf, index), leaf if like is None else like),
        tree,
    )


def joined(parts: Sequence[Arr], size: int, like: Arr) -> jax.Array:
    """The first `size` samples of consecutive batches, sharded as `like` is."""
    whole = jnp.concatenate([jnp.asarray(part) for part in parts])
    return place_like(whole if len(whole) == size else whole[:size], like)


def _taken(leaf: Arr, index: Index) -> Arr:
    if isinstance(index, slice) or not isinstance(leaf, jax.Array):
        return leaf[index]
    return _gathered(leaf, index)


@jax.jit
def _gathered(leaf: jax.Array, index: Int[Arr, " batch"]) -> jax.Array:
    """`leaf[index]` as one program: each of its operations would be one otherwise."""
    return leaf[index]


def batches(
    tree: PyTree, batch_size: int, like: Arr | None = None
) -> Iterator[tuple[int, int, PyTree]]:
    """(start, stop, samples start .. stop of every leaf), the last batch filled up.

    A batch of fewer samples repeats the last one to `batch_size`, which is rounded up
    to a multiple of the shards, those of `like` if it is given; cut the results to
    stop - start.
    """
    size = jax.tree.leaves(tree)[0].shape[0]
    batch_size = batch_shape((tree, like), min(batch_size, size))
    for start in range(0, size, batch_size):
        stop = min(start + batch_size, size)
        yield start, stop, filled(tree, start, stop, batch_size, like)


def filled(
    tree: PyTree, start: int, stop: int, batch_size: int, like: Arr | None = None
) -> PyTree:
    """Samples start .. stop of every leaf, the last one repeated to `batch_size`."""
    index = np.minimum(np.arange(start, start + batch_size), stop - 1)
    return rows(tree, index, like)


def batch_shape(tree: PyTree, batch_size: int) -> int:
    """The batch size rounded up so that every device has equally many samples."""
    most = max((shards(leaf) for leaf in jax.tree.leaves(tree)), default=1)
    return -(-batch_size // most) * most


def shards(leaf: object) -> int:
    """The number of shards along the sample axis of an array."""
    sharding = _sharding(leaf)
    if sharding is None:
        return 1
    return math.prod(sharding.mesh.shape[name] for name in _sample_axes(sharding))


def place_like(part: Part, whole: Arr) -> Part:
    """Shard samples like `whole`, and replicate them where its shards do not divide.

    An array of another rank than `whole` is sharded over its sample axis only.
    """
    sharding = _sharding(whole)
    if sharding is None:
        return part
    if part.shape[0] % shards(whole):
        sharding = NamedSharding(sharding.mesh, PartitionSpec())
    elif part.ndim != whole.ndim:
        sharding = _over_samples(sharding)
    return jax.device_put(part, sharding)


def sample_sharding(whole: Arr, size: int) -> NamedSharding | None:
    """How `size` samples are sharded like `whole`; None where they cannot be."""
    sharding = _sharding(whole)
    if sharding is None or shards(whole) == 1 or size % shards(whole):
        return None
    return _over_samples(sharding)


def _over_samples(sharding: NamedSharding) -> NamedSharding:
    axes = _sample_axes(sharding)
    return NamedSharding(sharding.mesh, PartitionSpec(axes or None))


def _sharding(leaf: object) -> NamedSharding | None:
    if isinstance(leaf, Tracer) or not isinstance(leaf, jax.Array):
        return None
    sharding = leaf.sharding
    if not isinstance(sharding, NamedSharding) or len(sharding.device_set) == 1:
        return None
    return sharding


def _sample_axes(sharding: NamedSharding) -> tuple[str, ...]:
    axes = sharding.spec[0] if len(sharding.spec) else None
    return () if axes is None else axes if isinstance(axes, tuple) else (axes,)

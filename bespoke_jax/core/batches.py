"""Batches of per-sample arrays, all of one size, with the sharding of the full arrays.

One size for all batches means one compiled program. Indexing an array that is sharded
over its samples gives a replicated array, with which every device would do all the
work; `rows` and `batches` shard each batch as the full array is sharded.
"""

from collections.abc import Iterator
from typing import TypeVar

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Int, PyTree

from bespoke_jax.core.types import Arr

Part = TypeVar("Part", bound=Arr)
Index = slice | Int[Arr, " batch"]
"""Which samples: integers, or a slice."""


def rows(tree: PyTree, index: Index) -> PyTree:
    """The samples at `index` (integers or a slice) of every leaf of a pytree.

    A concrete leaf that is sharded over several devices gives a batch with the same
    sharding where the batch divides by the shards of the sample axis.
    """
    return jax.tree.map(lambda leaf: place_like(_taken(leaf, index), leaf), tree)


def _taken(leaf: Arr, index: Index) -> Arr:
    if isinstance(index, slice) or not isinstance(leaf, jax.Array):
        return leaf[index]
    return _gathered(leaf, index)


@jax.jit
def _gathered(leaf: jax.Array, index: Int[Arr, " batch"]) -> jax.Array:
    """`leaf[index]` as one program: each of its operations would be one otherwise."""
    return leaf[index]


def batches(tree: PyTree, batch_size: int) -> Iterator[tuple[int, int, PyTree]]:
    """(start, stop, samples start .. stop of every leaf), the last batch filled up.

    A batch of fewer samples repeats the last one to `batch_size`, which is rounded up
    to a multiple of the shards; cut the results to stop - start.
    """
    size = jax.tree.leaves(tree)[0].shape[0]
    batch_size = batch_shape(tree, min(batch_size, size))
    for start in range(0, size, batch_size):
        stop = min(start + batch_size, size)
        yield start, stop, filled(tree, start, stop, batch_size)


def filled(tree: PyTree, start: int, stop: int, batch_size: int) -> PyTree:
    """Samples start .. stop of every leaf, the last one repeated to `batch_size`."""
    return rows(tree, np.minimum(np.arange(start, start + batch_size), stop - 1))


def batch_shape(tree: PyTree, batch_size: int) -> int:
    """The batch size rounded up so that every device has equally many samples."""
    most = max((shards(leaf) for leaf in jax.tree.leaves(tree)), default=1)
    return -(-batch_size // most) * most


def shards(leaf: object) -> int:
    """The number of shards along the sample axis of an array."""
    sharding = _sharding(leaf)
    if sharding is None:
        return 1
    return int(np.prod([sharding.mesh.shape[name] for name in _sample_axes(sharding)]))


def place_like(part: Part, whole: Arr) -> Part:
    """Shard samples like `whole`, where its number of shards divides theirs.

    An array of another rank than `whole` is sharded over its sample axis only.
    """
    sharding = _sharding(whole)
    if sharding is None or part.shape[0] % shards(whole):
        return part
    if part.ndim != whole.ndim:
        spec = PartitionSpec(_sample_axes(sharding) or None)
        sharding = NamedSharding(sharding.mesh, spec)
    return jax.device_put(part, sharding)


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

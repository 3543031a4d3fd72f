"""Batches of per-sample arrays, all of one size, on the devices of the whole.

One size for all batches means one compiled program. Indexing an array that is sharded
over its samples gives a replicated one, on which every device would do all the work;
`rows` places the batch as the whole was placed.
"""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding


def rows(tree: Any, index: Any) -> Any:
    """The samples at `index` (integers or a slice) of every leaf of a pytree.

    A concrete leaf that is sharded over several devices gives a batch with the same
    sharding where the batch divides by the shards of the sample axis.
    """
    return jax.tree.map(lambda leaf: _placed(leaf[index], leaf), tree)


def batches(tree: Any, batch_size: int) -> Iterator[tuple[int, int, Any]]:
    """(start, stop, samples start .. stop of every leaf), the last batch filled up.

    A batch of fewer samples repeats the last one to `batch_size`; cut the results to
    stop - start.
    """
    size = jax.tree.leaves(tree)[0].shape[0]
    batch_size = min(batch_size, size)
    for start in range(0, size, batch_size):
        index = np.minimum(np.arange(start, start + batch_size), size - 1)
        yield start, min(start + batch_size, size), rows(tree, index)


def _placed(part: Any, whole: Any) -> Any:
    if isinstance(whole, jax.core.Tracer) or not isinstance(whole, jax.Array):
        return part
    sharding = whole.sharding
    if not isinstance(sharding, NamedSharding) or len(sharding.device_set) == 1:
        return part
    axes = sharding.spec[0] if len(sharding.spec) else None
    names = () if axes is None else axes if isinstance(axes, tuple) else (axes,)
    shards = int(np.prod([sharding.mesh.shape[name] for name in names]))
    if part.shape[0] % shards:
        return part
    return jax.device_put(part, sharding)

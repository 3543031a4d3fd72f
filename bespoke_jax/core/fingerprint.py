"""A hash of the content of arrays, to tell inputs of one run from those of another."""

import hashlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from bespoke_jax.core.batches import batches
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.types import Arr

_ROWS = 64


def fingerprint(tree: PyTree) -> str:
    """A hash, 16 hexadecimal digits, of the shapes, dtypes and bytes of all leaves.

    It does not depend on the devices that hold the arrays; of an array on several of
    them a few rows are read at a time. Only inputs belong in it: computed numbers can
    differ in their last bits from one machine to another.
    """
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        if isinstance(leaf, jax.Array) and jnp.issubdtype(
            leaf.dtype, jax.dtypes.prng_key
        ):
            leaf = jax.random.key_data(leaf)
        if not isinstance(leaf, jax.Array):
            leaf = np.asarray(leaf)
        digest.update(f"{leaf.shape}{leaf.dtype}".encode())
        for part in _parts(leaf):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def _parts(leaf: Arr) -> Iterator[np.ndarray]:
    spread = isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) > 1
    if not spread or not leaf.ndim:
        yield to_host(leaf)
        return
    for start, stop, part in batches(leaf, _ROWS):
        yield to_host(part)[: stop - start]

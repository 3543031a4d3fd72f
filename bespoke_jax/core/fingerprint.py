"""A hash of the content of arrays, to tell inputs of one run from those of another."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree


def fingerprint(tree: PyTree) -> str:
    """A hash, 16 hexadecimal digits, of the shapes, dtypes and bytes of all leaves.

    It does not depend on the devices that hold the arrays. Only inputs belong in it:
    computed numbers can differ in their last bits from one machine to another.
    """
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        if isinstance(leaf, jax.Array) and jnp.issubdtype(
            leaf.dtype, jax.dtypes.prng_key
        ):
            leaf = jax.random.key_data(leaf)
        array = np.asarray(leaf)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]

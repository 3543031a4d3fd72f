"""Random keys of commands."""

import zlib

import jax


def key(seed: int, purpose: str) -> jax.Array:
    """A key for one purpose of a seed: no command judges on the noises of a fit.

    Raises:
        ValueError: a seed outside 0 .. 2^32 - 1.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed must lie in 0 .. {2**32 - 1}; got {seed}")
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))

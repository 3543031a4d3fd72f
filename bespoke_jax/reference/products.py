"""Inner products of exact states and velocities: what least squares and steps need.

Everything linear that can be asked of a path, such as the error of a one-step rule from
one time to another or a least-squares fit of one state by others, follows from the
products of its states and velocities: 2 m numbers squared for each sample, whatever the
size of the sample. They are summed up where the paths are; reading them costs no
evaluation of the network.
"""

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.batches import batches
from bespoke_jax.core.hosts import to_host
from bespoke_jax.reference.paths import Paths, at, require_dense

_BATCH, _NUMBERS = 16, 2**25
"""Samples, and numbers of theirs, that are interpolated together."""


def products(paths: Paths, times: np.ndarray) -> np.ndarray:
    """Mean products of the numbers of x(t_0) .. x(t_{m-1}), v(t_0) .. v(t_{m-1}).

    Args:
        paths: N dense paths.
        times: (m,) times from the start to the end of the paths.

    Returns:
        (N, 2 m, 2 m) in float64, the states first.

    Raises:
        ValueError: paths without dense states.
    """
    require_dense(paths, "products")
    names, found = ("x0", "x1", "states", "slopes"), []
    size = max(1, min(_BATCH, _NUMBERS // (2 * len(times) * paths.x0[0].size)))
    leaves = tuple(getattr(paths, name) for name in names)
    for start, stop, part in batches(leaves, size):
        batch = paths._replace(**dict(zip(names, part, strict=True)))
        x, v = at(batch, times)
        with jax.enable_x64(True):
            found.append(to_host(_multiplied(x, v))[: stop - start])
    return np.concatenate(found)


@jax.jit
def _multiplied(x, v):
    F = jnp.concatenate([x, v])
    F = F.reshape(*F.shape[:2], -1).astype(jnp.float64)
    return jnp.einsum("knd,lnd->nkl", F, F, precision="highest") / F.shape[2]

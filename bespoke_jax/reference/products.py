"""Inner products of exact states and velocities: what least squares and steps need.

Everything linear that can be asked of a path, such as the error of a one-step rule from
one time to another or a least-squares fit of one state by others, follows from the
products of its states and velocities: 2 m numbers squared for each sample, whatever the
size of the sample. Reading them costs no evaluation of the network.
"""

import numpy as np

from bespoke_jax.reference.paths import Paths, at, require_dense, take

_BATCH = 16
"""Samples that are interpolated together."""


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
    found = []
    for first in range(0, paths.size, _BATCH):
        part = take(paths, slice(first, first + _BATCH))
        x, v = (np.asarray(y) for y in at(part, times))
        for s in range(part.size):  # one sample at a time is widened to float64
            F = np.concatenate([x[:, s], v[:, s]]).reshape(2 * len(times), -1)
            F = F.astype(np.float64)
            found.append(F @ F.T / F.shape[1])
    return np.stack(found)

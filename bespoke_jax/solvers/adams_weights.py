"""Weights of the Adams methods, on any grid."""

from collections.abc import Sequence

import numpy as np


def variable_step(
    nodes: Sequence[float] | np.ndarray, s: float, t: float
) -> np.ndarray:
    """Weights w, summing to 1, of int_s^t p = (t - s) w . p(nodes).

    Exact for polynomials p of degree below len(nodes). Nodes s, s_-1, ... give the
    Adams-Bashforth methods, t, s, s_-1, ... the Adams-Moulton methods.
    """
    if len(nodes) == 1:  # also where the node is infinite
        return np.ones(1)
    z = (np.asarray(nodes, float) - s) / (t - s)
    powers = np.arange(len(z))
    return np.linalg.solve(z[None] ** powers[:, None], 1 / (powers + 1))


CONSTANT = {
    1: (1.0,),
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}
"""The Adams-Bashforth weights of equal steps, newest first."""

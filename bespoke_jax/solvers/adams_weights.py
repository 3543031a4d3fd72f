"""Adams-Bashforth weights on any grid."""

from collections.abc import Sequence

import numpy as np


def variable_step(past: Sequence[float] | np.ndarray, end: float) -> np.ndarray:
    """Weights w, summing to 1: int_{past[0]}^{end} p = (end - past[0]) w . p(past).

    Exact for polynomials p of degree below len(past); past[0] is the newest node.
    """
    if len(past) == 1:  # also where the node is infinite
        return np.ones(1)
    z = (np.asarray(past, float) - past[0]) / (end - past[0])
    powers = np.arange(len(z))
    return np.linalg.solve(z[None] ** powers[:, None], 1 / (powers + 1))


CONSTANT = {
    1: (1.0,),
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}
"""The same weights for equal steps, newest first."""

"""Paths with the conditions that their samples' solvers depend on."""

from typing import NamedTuple

import numpy as np

from bespoke_jax.core.types import Arr
from bespoke_jax.reference.paths import Paths, take


class Data(NamedTuple):
    """N exact paths, and the basis at the condition of each."""

    paths: Paths
    phi: np.ndarray | None = None
    """(N, K); None where the solver depends on no condition."""
    like: Arr | None = None
    """The samples that the paths were taken from, which says how they are sharded."""

    @property
    def size(self) -> int:
        """N."""
        return self.paths.size

    @property
    def numbers(self) -> int:
        """D, the numbers of a sample."""
        return self.paths.x0[0].size

    def cut(self, start: int, stop: int) -> "Data":
        """Samples start .. stop."""
        index = np.arange(start, stop)  # of whose values no program is compiled
        phi = None if self.phi is None else self.phi[index]
        return Data(take(self.paths, index, self.like), phi, self.like)

    @property
    def ends(self) -> "Data":
        """Without states in between, which only regressions read."""
        few = self.paths._replace(knots=None, states=None, slopes=None)
        return self._replace(paths=few)

"""The quarter circle of velocity and v-prediction models."""

import math
from dataclasses import dataclass

from bespoke_jax.schedules.closed_form import RatioPath

_QUARTER = math.pi / 2


@dataclass(frozen=True)
class Cosine(RatioPath):
    """Cosine path: alpha = sin(pi t / 2), sigma = cos(pi t / 2).

    t = (2 / pi) arctan(1 / nsr). "FM/v-CS" in the Bespoke paper; the path of
    v-prediction in Salimans and Ho, 2022, arXiv 2202.00512.
    """

    def _path(self, xp, t):
        # The sine of 1 - t is exactly 0 at the data; the cosine of t is not.
        return xp.sin(_QUARTER * t), xp.sin(_QUARTER * (1 - t))

    def _nsr(self, xp, t):
        alpha, sigma = self._path(xp, t)
        return sigma / alpha

    def _time_at_nsr(self, xp, r):
        return xp.arctan2(xp.ones_like(r), r) / _QUARTER

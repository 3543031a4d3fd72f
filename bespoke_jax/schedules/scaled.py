"""A path with its noise scaled: the preconditioning of non-stationary solvers."""

import math
from dataclasses import dataclass
from typing import Any

from bespoke_jax.schedules._path import Path, positive


@dataclass(frozen=True)
class Scaled(Path):
    """The path of `base` with noise of standard deviation sigma_0: sigma times sigma_0.

    Solving on it a model that was trained on `base` (`fields.change_schedule`,
    `families.from_schedules`) puts, for sigma_0 > 1, more evaluations near the noise,
    as strong guidance needs. x(0) is sigma_0 times that of the base path.

    Raises ValueError unless sigma_0 > 0. Shaul et al., 2024, arXiv 2403.01329,
    equation 14; their sigma_0 is 5 or 10 for text to image.
    """

    base: Any
    sigma_0: float | int = 5.0

    def __post_init__(self):
        positive("Scaled", sigma_0=self.sigma_0)

    def _path(self, xp, t):
        alpha, sigma = self.base._path(xp, t)
        return alpha, self.sigma_0 * sigma

    def _nsr(self, xp, t):
        return self.sigma_0 * self.base._nsr(xp, t)

    def _log_snr(self, xp, t):
        return self.base._log_snr(xp, t) - math.log(self.sigma_0)

    def _time_at_nsr(self, xp, r):
        return self.base._time_at_nsr(xp, r / self.sigma_0)

    def _time_at_log_snr(self, xp, l):
        return self.base._time_at_log_snr(xp, l + math.log(self.sigma_0))

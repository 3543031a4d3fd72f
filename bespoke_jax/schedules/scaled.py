"""A path with its noise scaled: the preconditioning of non-stationary solvers."""

import math
from dataclasses import dataclass

import numpy as np

from bespoke_jax.core.arrays import AnyTimes, as_times
from bespoke_jax.core.checks import static_schedule
from bespoke_jax.core.protocols import Pair, Schedule, Values
from bespoke_jax.schedules.closed_form import positive
from bespoke_jax.schedules.host import joints


@dataclass(frozen=True)
class Scaled:
    """The path of `base` with noise of standard deviation sigma_0: sigma times sigma_0.

    Solving on it a model that was trained on `base` (`fields.change_schedule`,
    `families.from_schedules`) puts, for sigma_0 > 1, more evaluations near the noise,
    as strong guidance needs. x(0) is sigma_0 times that of the base path. `base` is any
    `Schedule`.

    Raises ValueError unless sigma_0 > 0. Shaul et al., 2024, arXiv 2403.01329,
    equation 14; their sigma_0 is 5 or 10 for text to image.
    """

    base: Schedule
    sigma_0: float | int = 5.0

    def __post_init__(self):
        static_schedule("Scaled: base", self.base)
        positive(self, "sigma_0")

    @property
    def joints(self) -> np.ndarray:
        """Times at which the rates of the base path jump."""
        return joints(self.base)

    def __call__(self, t: AnyTimes) -> Pair:
        """`(alpha, sigma_0 sigma)` of the base path."""
        alpha, sigma = self.base(t)
        return alpha, self.sigma_0 * sigma

    def rates(self, t: AnyTimes) -> Pair:
        """`(d alpha / dt, d sigma / dt)`."""
        d_alpha, d_sigma = self.base.rates(t)
        return d_alpha, self.sigma_0 * d_sigma

    def nsr(self, t: AnyTimes) -> Values:
        """Noise-to-signal ratio sigma / alpha."""
        return self.sigma_0 * self.base.nsr(t)

    def log_snr(self, t: AnyTimes) -> Values:
        """Half log-SNR log(alpha / sigma)."""
        return self.base.log_snr(t) - math.log(self.sigma_0)

    def time_at_nsr(self, value: AnyTimes) -> Values:
        """Inverse of `nsr`."""
        return self.base.time_at_nsr(as_times(value) / self.sigma_0)

    def time_at_log_snr(self, value: AnyTimes) -> Values:
        """Inverse of `log_snr`."""
        return self.base.time_at_log_snr(as_times(value) + math.log(self.sigma_0))

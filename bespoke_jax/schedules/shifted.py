"""A path run through in shifted time: models trained on shifted noise levels."""

from dataclasses import dataclass

import numpy as np

from bespoke_jax.core.arrays import AnyTimes, as_times
from bespoke_jax.core.checks import static_schedule
from bespoke_jax.core.protocols import Pair, Schedule, Values
from bespoke_jax.schedules.closed_form import positive
from bespoke_jax.schedules.host import joints


@dataclass(frozen=True)
class Shifted:
    """The path of `base` at the shifted time v(t) = t / (t + s (1 - t)).

    In the diffusion time u = 1 - t this is u -> s u / (1 + (s - 1) u): for s > 1 more
    of [0, 1] is spent near the noise. For a model whose own time is the shifted one;
    where only the sampling grid is shifted, take `grids.shift` on the base path. The
    sigma / alpha of Shifted(CondOT(), s) is s times that of CondOT. `base` is any
    `Schedule`.

    1 - v is rounded with v: near the data float32 resolves it to 6e-8.

    Raises ValueError unless shift > 0. Esser et al., 2024, arXiv 2403.03206,
    equation 23.
    """

    base: Schedule
    shift: float | int = 3.0

    def __post_init__(self):
        static_schedule("Shifted: base", self.base)
        positive(self, "shift")

    @property
    def joints(self) -> np.ndarray:
        """Times at which the rates of the base path jump."""
        return np.asarray(self._from_base(joints(self.base)))

    def _to_base(self, t):
        return t / (t + self.shift * (1 - t))

    def _from_base(self, v):
        return self.shift * v / (1 + (self.shift - 1) * v)

    def __call__(self, t: AnyTimes) -> Pair:
        """`(alpha, sigma)` of the base path at v(t)."""
        return self.base(self._to_base(as_times(t)))

    def rates(self, t: AnyTimes) -> Pair:
        """`(d alpha / dt, d sigma / dt)`, with dv/dt = s / (t + s (1 - t))^2."""
        t = as_times(t)
        d_alpha, d_sigma = self.base.rates(self._to_base(t))
        slope = self.shift / (t + self.shift * (1 - t)) ** 2
        return slope * d_alpha, slope * d_sigma

    def nsr(self, t: AnyTimes) -> Values:
        """Noise-to-signal ratio sigma / alpha."""
        return self.base.nsr(self._to_base(as_times(t)))

    def log_snr(self, t: AnyTimes) -> Values:
        """Half log-SNR log(alpha / sigma)."""
        return self.base.log_snr(self._to_base(as_times(t)))

    def time_at_nsr(self, value: AnyTimes) -> Values:
        """Inverse of `nsr`."""
        return self._from_base(self.base.time_at_nsr(as_times(value)))

    def time_at_log_snr(self, value: AnyTimes) -> Values:
        """Inverse of `log_snr`."""
        return self._from_base(self.base.time_at_log_snr(as_times(value)))

"""The variance-exploding path, in the time that makes EDM's grid uniform."""

import math
from dataclasses import dataclass

from bespoke_jax.schedules.closed_form import ClosedForm, positive


@dataclass(frozen=True)
class EDM(ClosedForm):
    """Variance exploding: alpha = 1, sigma from sigma_max (t=0) to sigma_min (t=1).

    sigma = (sigma_max^(1/rho) + t (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho, so that
    uniform times are EDM's noise levels; nsr = sigma. The start of a path is
    x(0) = sigma_max * noise.

    Raises ValueError unless 0 < sigma_min < sigma_max, rho > 0, and the powers fit into
    float64: log(sigma_max / sigma_min) <= 700 rho. Karras et al., 2022,
    arXiv 2206.00364, equation 5.
    """

    sigma_min: float | int = 0.002
    sigma_max: float | int = 80.0
    rho: float | int = 7.0

    def __post_init__(self):
        positive(self, "sigma_min", "sigma_max", "rho")
        if self.sigma_min >= self.sigma_max:
            raise ValueError(
                "EDM: sigma_min must be below sigma_max; "
                f"got sigma_min={self.sigma_min}, sigma_max={self.sigma_max}"
            )
        if self._log_g < -700:
            raise ValueError(
                "EDM: rho is too small for this range, whose powers 1 / rho overflow; "
                f"got rho={self.rho}"
            )

    # With g = (sigma_min / sigma_max)^(1/rho), log(sigma / sigma_max) is
    # rho log(1 - (1 - g) t), and log(sigma / sigma_min) is
    # rho log(1 + (1 / g - 1) (1 - t)): accurate at the noise and at the data end.
    @property
    def _log_g(self):
        return math.log(self.sigma_min / self.sigma_max) / self.rho

    def _logs(self, xp, t):
        below_max = self.rho * xp.log1p(math.expm1(self._log_g) * t)
        above_min = self.rho * xp.log1p(math.expm1(-self._log_g) * (1 - t))
        return xp.real(below_max) > -1, below_max, above_min

    def _nsr(self, xp, t):
        near, below_max, above_min = self._logs(xp, t)
        from_noise = self.sigma_max + self.sigma_max * xp.expm1(below_max)
        # exp amplifies the rounding of a large argument: expand from the nearer end.
        upper = xp.real(below_max) > -xp.real(above_min)
        log = xp.where(upper, below_max, above_min)
        far = xp.where(upper, self.sigma_max, self.sigma_min) * xp.exp(log)
        return xp.where(near, from_noise, far)

    def _path(self, xp, t):
        return xp.ones_like(t), self._nsr(xp, t)

    def _log_snr(self, xp, t):
        near, below_max, above_min = self._logs(xp, t)
        from_noise = -math.log(self.sigma_max) - below_max
        return xp.where(near, from_noise, -math.log(self.sigma_min) - above_min)

    def _time(self, xp, below_max, above_min):
        from_noise = xp.expm1(below_max / self.rho) / math.expm1(self._log_g)
        from_data = 1 - xp.expm1(above_min / self.rho) / math.expm1(-self._log_g)
        return xp.where(below_max > -1, from_noise, from_data)

    def _time_at_nsr(self, xp, r):
        low, high = self.sigma_min, self.sigma_max
        r = xp.where(r > high, high, xp.where(r < low, low, r))
        return self._time(xp, xp.log1p((r - high) / high), xp.log(r / low))

    def _time_at_log_snr(self, xp, l):
        low, high = -math.log(self.sigma_max), -math.log(self.sigma_min)
        l = xp.where(l > high, high, xp.where(l < low, low, l))
        return self._time(xp, low - l, high - l)

"""The cosine noise schedule of improved DDPM, in continuous time."""

import math
from dataclasses import dataclass

from bespoke_jax.schedules.closed_form import RatioPath, positive


@dataclass(frozen=True)
class CosineVP(RatioPath):
    """Improved-DDPM cosine path, variance preserving: sigma^2 = 1 - alpha^2.

    alpha = cos(a + d) / cos(a) with d = k (1 - t), a = k s, k = pi / (2 (1 + s)).
    Since a + k = pi / 2, also alpha = sin(k t) / cos(a), which is 0 at t=0.
    No clipping of the last betas, as the discrete schedule of the paper has.

    `s` is above 0 (at s = 0 the path is `Cosine()`); ValueError otherwise.
    Nichol and Dhariwal, 2021, arXiv 2102.09672, equation 17.
    """

    s: float | int = 0.008

    def __post_init__(self):
        positive(self, "s")

    @property
    def _k(self):
        return math.pi / (2 * (1 + self.s))

    @property
    def _a(self):
        return self._k * self.s

    def _path(self, xp, t):
        d = self._k * (1 - t)
        alpha = xp.sin(self._k * t) / math.cos(self._a)
        # 1 - cos(a + d) / cos(a), as a sum of terms that vanish with d.
        m = 2 * xp.sin(d / 2) ** 2 + math.tan(self._a) * xp.sin(d)
        return alpha, xp.sqrt(m * (1 + alpha))

    def _nsr(self, xp, t):
        alpha, sigma = self._path(xp, t)
        return sigma / alpha

    def _time_at_nsr(self, xp, r):
        noisy = r > 1
        q = 1 / xp.where(noisy, r, 1)
        from_noise = xp.arcsin(math.cos(self._a) * q / xp.sqrt(1 + q * q)) / self._k
        # m = 1 - alpha is a quadratic in p = tan(d / 2):
        # (2 - m) p^2 + 2 tan(a) p - m = 0, whose positive root does not cancel.
        r2 = xp.where(noisy, 1, r) ** 2
        m = r2 / (1 + r2 + xp.sqrt(1 + r2))
        tan_a = math.tan(self._a)
        p = m / (tan_a + xp.sqrt(tan_a**2 + m * (2 - m)))
        return xp.where(noisy, from_noise, 1 - 2 * xp.arctan(p) / self._k)

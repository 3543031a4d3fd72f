"""The variance-preserving path with a linear beta.

With the decay T = -log(alpha^2), alpha = exp(-T / 2), sigma = sqrt(1 - exp(-T)) and
nsr = sqrt(exp(T) - 1), T falling from T_0 at the noise to 0 at the data. Near the noise
the deficit D = T_0 - T carries the accuracy instead: with
delta = log(nsr / nsr_0) <= 0,

    delta = log(1 + (exp(-D) - 1) / sigma_0^2) / 2,
    D = -log(1 + sigma_0^2 (exp(2 delta) - 1)),

so that nsr = nsr_0 + nsr_0 (exp(delta) - 1) is rounded once, and small times survive
as far as the ratio's own spacing lets them.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from bespoke_jax.schedules.closed_form import ClosedForm, positive

_LARGEST = 700.0
"""Largest T_0: nsr_0 = exp(T_0 / 2) and its square stay below the largest float64."""


class _NoiseEnd(NamedTuple):
    """Host constants at t=0 and at the switch between the two forms."""

    sigma2: float
    nsr: float
    log_snr: float
    near: float  # deficits below this use the form of the noise end
    delta: float  # log(nsr / nsr_0) at the switch


@dataclass(frozen=True)
class VP(ClosedForm):
    """VP with beta linear from beta_max at the noise to beta_min at the data.

    alpha = exp(-T / 2), sigma = sqrt(1 - exp(-T)), with u = 1 - t and
    T = u^2 (beta_max - beta_min) / 2 + u beta_min. alpha_0 is small, not 0: 0.0066 for
    the usual 0.1 and 20.

    Raises ValueError unless 0 < beta_min <= beta_max and beta_min + beta_max <= 1400
    (beyond, alpha_0 is 0 in float64). Song et al., 2021, arXiv 2011.13456, equation 33;
    "eps-VP" in the Bespoke paper.
    """

    beta_min: float | int = 0.1
    beta_max: float | int = 20.0

    def __post_init__(self):
        positive(self, "beta_min", "beta_max")
        if self.beta_min > self.beta_max:
            raise ValueError(
                "VP: beta_min must not exceed beta_max; "
                f"got beta_min={self.beta_min}, beta_max={self.beta_max}"
            )
        if self._total > _LARGEST:
            raise ValueError(
                f"VP: beta_min + beta_max must not exceed {2 * _LARGEST:g}; "
                f"got beta_min={self.beta_min}, beta_max={self.beta_max}"
            )

    @property
    def _total(self):
        return (self.beta_min + self.beta_max) / 2

    @cached_property
    def _noise(self) -> _NoiseEnd:
        T = self._total
        nsr = math.sqrt(math.expm1(T))
        sigma2 = -math.expm1(-T)
        near = min(1.0, T / 2)  # the logarithms above stay away from log 0
        delta = 0.5 * math.log1p(math.expm1(-near) / sigma2)
        return _NoiseEnd(sigma2, nsr, -math.log(nsr), near, delta)

    def _decay(self, t):
        u = 1 - t
        return u * (self.beta_min + 0.5 * (self.beta_max - self.beta_min) * u)

    def _deficit(self, t):
        return t * (self.beta_max - 0.5 * (self.beta_max - self.beta_min) * t)

    def _time_at_decay(self, xp, T):
        b, spread = self.beta_min, self.beta_max - self.beta_min
        return 1 - 2 * T / (b + xp.sqrt(b * b + 2 * spread * T))

    def _time_at_deficit(self, xp, D):
        B, spread = self.beta_max, self.beta_max - self.beta_min
        return 2 * D / (B + xp.sqrt(B * B - 2 * spread * D))

    def _path(self, xp, t):
        T = self._decay(t)
        return xp.exp(-T / 2), xp.sqrt(-xp.expm1(-T))

    def _drop(self, xp, t):
        # The unused form sees harmless values, so that reverse mode stays finite.
        D = self._deficit(t)
        near = D < self._noise.near
        z = xp.expm1(-xp.where(near, D, 0)) / self._noise.sigma2
        return near, 0.5 * xp.log1p(z)

    def _nsr(self, xp, t):
        near, delta = self._drop(xp, t)
        T = xp.where(near, 1, self._decay(t))
        noise = self._noise.nsr
        return xp.where(near, noise + noise * xp.expm1(delta), xp.sqrt(xp.expm1(T)))

    def _log_snr(self, xp, t):
        near, delta = self._drop(xp, t)
        T = xp.where(near, 1, self._decay(t))
        return xp.where(near, self._noise.log_snr - delta, -0.5 * xp.log(xp.expm1(T)))

    def _time(self, xp, near, delta, T):
        delta = xp.where(delta > 0, 0, delta)  # noisier than t=0 answers t=0
        D = -xp.log1p(self._noise.sigma2 * xp.expm1(2 * delta))
        from_noise = self._time_at_deficit(xp, D)
        return xp.where(near, from_noise, self._time_at_decay(xp, T))

    def _time_at_nsr(self, xp, r):
        noise = self._noise
        near = r > noise.nsr * math.exp(noise.delta)
        delta = xp.log1p((xp.where(near, r, noise.nsr) - noise.nsr) / noise.nsr)
        return self._time(xp, near, delta, xp.log1p(xp.where(near, 1, r) ** 2))

    def _time_at_log_snr(self, xp, l):
        noise = self._noise
        near = l < noise.log_snr - noise.delta
        delta = noise.log_snr - xp.where(near, l, noise.log_snr)
        T = xp.log1p(xp.exp(-2 * xp.where(near, 0, l)))
        return self._time(xp, near, delta, T)

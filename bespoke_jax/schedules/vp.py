"""The variance-preserving path with a linear beta."""

from dataclasses import dataclass

from bespoke_jax.schedules._decay import DecayPath
from bespoke_jax.schedules._path import positive


@dataclass(frozen=True)
class VP(DecayPath):
    """VP with beta linear from beta_max at the noise to beta_min at the data.

    alpha = exp(-T / 2), sigma = sqrt(1 - exp(-T)), with u = 1 - t and
    T = u^2 (beta_max - beta_min) / 2 + u beta_min. alpha_0 is small, not 0: 0.0066 for
    the usual 0.1 and 20.

    Raises ValueError unless 0 < beta_min <= beta_max. Song et al., 2021, arXiv
    2011.13456, equation 33; "eps-VP" in the Bespoke paper.
    """

    beta_min: float | int = 0.1
    beta_max: float | int = 20.0

    def __post_init__(self):
        positive("VP", beta_min=self.beta_min, beta_max=self.beta_max)
        if self.beta_min > self.beta_max:
            raise ValueError(
                "VP: beta_min must not exceed beta_max; "
                f"got beta_min={self.beta_min}, beta_max={self.beta_max}"
            )

    @property
    def _total(self):
        return (self.beta_min + self.beta_max) / 2

    def _decay(self, xp, t):
        u = 1 - t
        return u * (self.beta_min + 0.5 * (self.beta_max - self.beta_min) * u)

    def _deficit(self, xp, t):
        return t * (self.beta_max - 0.5 * (self.beta_max - self.beta_min) * t)

    def _time_at_decay(self, xp, T):
        b, spread = self.beta_min, self.beta_max - self.beta_min
        return 1 - 2 * T / (b + xp.sqrt(b * b + 2 * spread * T))

    def _time_at_deficit(self, xp, D):
        B, spread = self.beta_max, self.beta_max - self.beta_min
        return 2 * D / (B + xp.sqrt(B * B - 2 * spread * D))

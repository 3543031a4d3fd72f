"""Variance-preserving paths given by their log-SNR."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from bespoke_jax.core.checks import shown
from bespoke_jax.core.protocols import Values
from bespoke_jax.schedules.host import on_host
from bespoke_jax.schedules.path import Path


@dataclass(frozen=True)
class LogSNR(Path):
    """The path of a model given by gamma(t) = -log(alpha^2 / sigma^2).

    alpha^2 = sigmoid(-gamma), sigma^2 = sigmoid(gamma), half log-SNR -gamma / 2. gamma
    is a function of library time (0 is noise) written with `jax.numpy`, elementwise and
    falling; its parameters, if learned, are fixed numbers here. Of VDM's own time pass
    `lambda t: gamma(1 - t)`; of a log-SNR function, `lambda t: -log_snr(t)`.

    Raises ValueError unless gamma(0) > gamma(1). Kingma et al., 2021, arXiv 2107.00630,
    equations 2 and 3.
    """

    gamma: Callable[[Values], Values]

    def __post_init__(self):
        if not callable(self.gamma) or isinstance(self.gamma, type):
            raise ValueError(
                f"LogSNR: gamma must be a function of time; got {shown(self.gamma)}."
            )
        try:
            first, last = (float(on_host(self.gamma, end)) for end in (0.0, 1.0))
        except Exception as error:
            raise ValueError(
                "LogSNR: gamma must be an elementwise function of time in jax.numpy; "
                f"it raised {type(error).__name__}: {str(error).splitlines()[:1]}"
            ) from error
        if not first > last:
            raise ValueError(
                "LogSNR: gamma must fall from noise (t = 0) to data (t = 1); got "
                f"gamma(0) = {first:.6g}, gamma(1) = {last:.6g}. If it is a "
                "function of diffusion time, pass lambda t: gamma(1 - t)"
            )

    def alpha(self, t):
        return jnp.sqrt(jax.nn.sigmoid(-self.gamma(t)))

    def sigma(self, t):
        return jnp.sqrt(jax.nn.sigmoid(self.gamma(t)))

    def _nsr(self, t):
        return jnp.exp(-self._log_snr(t))

    def _log_snr(self, t):
        return -0.5 * jnp.broadcast_to(jnp.asarray(self.gamma(t), t.dtype), t.shape)

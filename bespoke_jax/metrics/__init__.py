"""How good samples are: errors to the exact ones, and distances between two sets."""

from bespoke_jax.metrics.distances import (
    energy_distance,
    frechet,
    frechet_infinity,
    mmd,
    sliced_wasserstein,
)
from bespoke_jax.metrics.errors import (
    Summary,
    errors,
    flip_rate,
    psnr,
    rmse,
    summary,
)

__all__ = [
    "Summary",
    "energy_distance",
    "errors",
    "flip_rate",
    "frechet",
    "frechet_infinity",
    "mmd",
    "psnr",
    "rmse",
    "sliced_wasserstein",
    "summary",
]

"""Errors of samples, their cost, and the times along the path where errors arise."""

from bespoke_jax.metrics.comparison import Comparison, compare
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
from bespoke_jax.metrics.steps import Curvature, StepErrors, curvature, step_errors
from bespoke_jax.metrics.work_precision import Point, work_precision

__all__ = [
    "Comparison",
    "Curvature",
    "Point",
    "StepErrors",
    "Summary",
    "compare",
    "curvature",
    "energy_distance",
    "errors",
    "flip_rate",
    "frechet",
    "frechet_infinity",
    "mmd",
    "psnr",
    "rmse",
    "sliced_wasserstein",
    "step_errors",
    "summary",
    "work_precision",
]

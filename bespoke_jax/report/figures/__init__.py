"""Figures: arrays in, a matplotlib `Figure` out; no display and no global state."""

from bespoke_jax.report.figures.curves import curvature, rmse_against_nfe, step_errors
from bespoke_jax.report.figures.samples import images, is_image, scatter, shades, sheet
from bespoke_jax.report.figures.solver import (
    coefficients,
    evaluation_times,
    learned_path,
)
from bespoke_jax.report.figures.style import write

__all__ = [
    "coefficients",
    "curvature",
    "evaluation_times",
    "images",
    "is_image",
    "learned_path",
    "rmse_against_nfe",
    "scatter",
    "shades",
    "sheet",
    "step_errors",
    "write",
]

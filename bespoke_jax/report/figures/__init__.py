"""Figures: arrays in, a matplotlib `Figure` out; no display and no global state.

Ready-made ones are in `curves`, `samples` and `solver`; what they and others are made
of, panels of lines with bands, bars and legends, is in `charts`.
"""

from bespoke_jax.report.figures.charts import (
    Line,
    bar_chart,
    draw,
    dress,
    legend,
    line_chart,
    panels,
    points,
)
from bespoke_jax.report.figures.curves import (
    curvature,
    error_against_nfe,
    rmse_against_nfe,
    step_errors,
)
from bespoke_jax.report.figures.samples import (
    differences,
    images,
    is_image,
    largest_of,
    scatter,
    shades,
    sheet,
)
from bespoke_jax.report.figures.solver import (
    coefficients,
    evaluation_times,
    learned_path,
)
from bespoke_jax.report.figures.style import FITTED, Look, looks, write

__all__ = [
    "FITTED",
    "Line",
    "Look",
    "bar_chart",
    "coefficients",
    "curvature",
    "differences",
    "draw",
    "dress",
    "error_against_nfe",
    "evaluation_times",
    "images",
    "is_image",
    "largest_of",
    "learned_path",
    "legend",
    "line_chart",
    "looks",
    "panels",
    "points",
    "rmse_against_nfe",
    "scatter",
    "shades",
    "sheet",
    "step_errors",
    "write",
]

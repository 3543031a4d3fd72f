"""A comparison as one HTML file: what to use, how sure that is, and why.

    from bespoke_jax import metrics, report

    points = metrics.work_precision(field, solvers, paths, keep=8)
    report.write("report.html", field, points, paths)

The page needs no network: styles and pictures are inside it.
"""

from bespoke_jax.report.advice import best, cautions, on_front, recommend
from bespoke_jax.report.findings import findings
from bespoke_jax.report.page import write, write_all

__all__ = [
    "best",
    "cautions",
    "findings",
    "on_front",
    "recommend",
    "write",
    "write_all",
]

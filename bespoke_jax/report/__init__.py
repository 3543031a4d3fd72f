"""A comparison as one HTML file: what to use, how sure that is, and why.

    from bespoke_jax import metrics, report

    points = metrics.work_precision(field, solvers, paths, keep=8)
    report.write("report.html", field, points, paths)

The page needs no network: styles and pictures are inside it.
"""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from bespoke_jax._version import __version__
from bespoke_jax.core import checks
from bespoke_jax.metrics import Point
from bespoke_jax.reference.paths import Paths, check_paths, take
from bespoke_jax.report import html
from bespoke_jax.report.advice import best, cautions, is_fitted, on_front, recommend
from bespoke_jax.report.columns import COLUMNS, LEGEND
from bespoke_jax.report.sections import inside, overview, samples

__all__ = ["best", "cautions", "is_fitted", "on_front", "recommend", "write"]

_PROBES = 64
"""Paths on which errors along the solve and curvature are measured."""


def write(
    path: str | os.PathLike[str],
    field: Any,
    points: Sequence[Point],
    paths: Paths,
    *,
    schedule: Any = None,
    data_range: float | int = 2.0,
    title: str = "Solvers compared",
    note: str = "",
) -> Path:
    """Write the report of a comparison and return its path.

    Args:
        path: the .html file; missing folders are made.
        field: the velocity field of the paths, called again for errors along solves.
        points: of `metrics.work_precision` with `keep` samples; images get strips and
            differences, everything else scatter plots.
        paths: the ground truth of the points.
        schedule: of the model, for the known grids; None leaves those out that need
            one.
        data_range: largest minus smallest value of the data, black to white.
        title: of the page.
        note: a sentence under the title: how it was made.

    Raises:
        ValueError: no points, points without samples, or a file that cannot be
            written.
    """
    file = checks.path("path", path)
    checks.instance("points", points, list | tuple, "what work_precision returns")
    for point in points:
        checks.instance("each of points", point, Point, "of work_precision")
    check_paths(paths)
    checks.real("data_range", data_range, above=0)
    for name, text in (("title", title), ("note", note)):
        checks.instance(name, text, str, "text")
    if schedule is not None:
        checks.schedule("schedule", schedule)
    if not points or not all(len(p.samples) for p in points):
        raise ValueError(
            "a report needs points with samples: pass keep=8 or more to "
            "metrics.work_precision."
        )
    budgets = sorted({p.nfe for p in points})
    # Open where a fitted solver is, else at the smallest budget.
    opened = min((p.nfe for p in points if is_fitted(p.name)), default=budgets[0])
    probes = take(paths, slice(0, _PROBES))
    sections = [
        html.paragraph(_made(paths, note), quiet=True),
        html.group(
            "advice",
            ["<h2>What to use</h2>", html.bullets(recommend(points))],
        ),
        html.bullets(cautions(points, paths)),
        "<h2>Error against cost</h2>",
        html.group("figures", overview(points, probes)),
        "<h2>All figures</h2>",
        html.table(
            list(COLUMNS),
            (
                (on_front(points, p), [text(p) for text in COLUMNS.values()])
                for p in sorted(points, key=lambda p: (p.nfe, p.error))
            ),
        ),
        html.paragraph(LEGEND.format(data_range=data_range), quiet=True),
        "<h2>Budget by budget</h2>",
    ]
    names = list(dict.fromkeys(p.name for p in points))
    for nfe in budgets:
        mine = sorted((p for p in points if p.nfe == nfe), key=lambda p: p.error)
        parts = [
            *samples(mine, paths, data_range),
            *inside(mine, names, field, probes, schedule),
        ]
        name = f"{nfe} network evaluations"
        sections.append(html.fold(name, parts, is_open=nfe == opened))
    sections.append(html.paragraph(_where(), quiet=True))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(html.page(title, sections), "utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"cannot write the report {file}: {reason}") from None
    return file


def _made(paths: Paths, note: str) -> str:
    text = f"{paths.size} noises, the same for every solver."
    if paths.stats is not None:
        text += (
            f" Exact samples by diffrax, {paths.stats.nfe_mean:.0f} network "
            "evaluations each."
        )
    return f"{note} {text}".strip()


def _where() -> str:
    device = jax.devices()[0]
    return (
        f"bespoke_jax {__version__}, JAX {jax.__version__}, Python "
        f"{platform.python_version()}; {platform.machine()}, {device.device_kind}. "
        "Seconds depend on the machine and what else it does."
    )

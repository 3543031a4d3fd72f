"""The page of a comparison, put together from its sections, and its tables."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import jax

from bespoke_jax._version import __version__
from bespoke_jax.cards import atomic
from bespoke_jax.core import checks
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.metrics import Point
from bespoke_jax.metrics.comparison import Comparison, in_order
from bespoke_jax.reference.paths import Paths, check_paths, take
from bespoke_jax.report import html, tables
from bespoke_jax.report.advice import cautions, on_front, recommend
from bespoke_jax.report.columns import COLUMNS, LEGEND
from bespoke_jax.report.sections import inside, overview, samples

_PROBES = 64
"""Paths on which errors along the solve and curvature are measured."""


def write_all(folder: Path, found: Comparison, *, note: str = "") -> list[Path]:
    """Write table.json, table.csv and report.html of a comparison into a folder.

    The tables are written first, so that a page that fails cannot lose them.

    Returns:
        The paths of the three files.
    """
    model = found.model
    return [
        tables.write_json(folder / "table.json", found.points),
        tables.write_csv(folder / "table.csv", found.points),
        write(
            folder / "report.html",
            model.field,
            found.points,
            found.paths,
            schedule=model.schedule,
            data_range=model.data_range,
            title=f"{model.name}: solvers compared",
            note=note,
        ),
    ]


def write(
    path: str | os.PathLike[str],
    field: VelocityField,
    points: Sequence[Point],
    paths: Paths,
    *,
    schedule: Schedule | None = None,
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
    _check(points, paths, data_range, title, note)
    if schedule is not None:
        checks.schedule("schedule", schedule)
    probes = take(paths, slice(0, _PROBES))
    sections = [
        *_beginning(points, paths, probes, data_range, note),
        *_budgets(points, paths, probes, field, schedule, data_range),
        html.paragraph(_where(), quiet=True),
    ]
    try:
        return atomic.write_text(file, html.page(title, sections))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"cannot write the report {file}: {reason}") from None


def _check(
    points: Sequence[Point],
    paths: Paths,
    data_range: float | int,
    title: str,
    note: str,
) -> None:
    checks.instance("points", points, list | tuple, "what work_precision returns")
    for point in points:
        checks.instance("each of points", point, Point, "of work_precision")
    check_paths(paths)
    checks.real("data_range", data_range, above=0)
    for name, text in (("title", title), ("note", note)):
        checks.instance(name, text, str, "text")
    if not points or not all(len(p.samples) for p in points):
        raise ValueError(
            "a report needs points with samples: pass keep=8 or more to "
            "metrics.work_precision."
        )


def _beginning(
    points: Sequence[Point],
    paths: Paths,
    probes: Paths,
    data_range: float | int,
    note: str,
) -> list[str]:
    """Advice, cautions, the overview and the table of all figures."""
    return [
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
                for p in in_order(points)
            ),
        ),
        html.paragraph(LEGEND.format(data_range=data_range), quiet=True),
        "<h2>Budget by budget</h2>",
    ]


def _budgets(
    points: Sequence[Point],
    paths: Paths,
    probes: Paths,
    field: VelocityField,
    schedule: Schedule | None,
    data_range: float | int,
) -> list[str]:
    """For each NFE a section with samples and the inside of the solvers."""
    budgets = sorted({p.nfe for p in points})
    # Open where a fitted solver is, else at the smallest budget.
    opened = min((p.nfe for p in points if p.fitted), default=budgets[0])
    names = list(dict.fromkeys(p.name for p in points))
    sections = []
    for nfe in budgets:
        mine = sorted((p for p in points if p.nfe == nfe), key=lambda p: p.error)
        parts = [
            *samples(mine, paths, data_range),
            *inside(mine, names, field, probes, schedule),
        ]
        name = f"{nfe} network evaluations"
        sections.append(html.fold(name, parts, is_open=nfe == opened))
    return sections


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

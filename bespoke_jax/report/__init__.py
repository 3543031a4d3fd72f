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
import numpy as np

from bespoke_jax import grids, plots
from bespoke_jax._version import __version__
from bespoke_jax.metrics import Point, curvature, step_errors
from bespoke_jax.paths import Paths, take
from bespoke_jax.report import html
from bespoke_jax.report.advice import (
    best,
    cautions,
    is_fitted,
    on_front,
    recommend,
    told_apart,
)

__all__ = [
    "best",
    "cautions",
    "is_fitted",
    "on_front",
    "recommend",
    "told_apart",
    "write",
]

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
        ValueError: no points, or points without samples.
    """
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
        html.group("figures", _overview(points, probes)),
        "<h2>All figures</h2>",
        _table(points),
        html.paragraph(_LEGEND, quiet=True),
        "<h2>Budget by budget</h2>",
    ]
    names = list(dict.fromkeys(p.name for p in points))
    for nfe in budgets:
        mine = sorted((p for p in points if p.nfe == nfe), key=lambda p: p.error)
        parts = [
            *_samples(mine, paths, data_range),
            *_inside(mine, names, field, probes, schedule),
        ]
        title_ = f"{nfe} network evaluations"
        sections.append(html.fold(title_, parts, is_open=nfe == opened))
    sections.append(html.paragraph(_where(), quiet=True))
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html.page(title, sections), "utf-8")
    return file


_LEGEND = (
    "RMSE: root mean square difference to the exact sample from the same noise, mean "
    "over samples, in data units; interval: 95 % bootstrap. Flip rate: share of "
    "samples off by more than a tenth of the distance between independent samples. "
    "PSNR: of the mean RMSE. Milliseconds: compiled, per sample of a batch. Compile: "
    "of the program, which solvers of equal shape share. Peak: weights, noise, "
    "temporaries and samples of one batch. Marked: no solver compared has a lower mean "
    "for as few evaluations."
)


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


def _overview(points: Sequence[Point], probes: Paths) -> list[str]:
    # Names without curves too: one look a solver on the whole page.
    curves: dict[str, list[tuple[int, float]]] = {p.name: [] for p in points}
    fitted: dict[str, list[tuple[int, float]]] = {}
    for p in points:
        lines = fitted.setdefault(p.name, []) if is_fitted(p.name) else curves[p.name]
        lines.append((p.nfe, p.rmse.mean))
    bends = curvature(probes)
    return [
        html.drawing(
            plots.rmse_against_nfe(curves, fitted),
            "Work-precision: lower and further left is better. Stars are fitted "
            "solvers, each made for one NFE.",
        ),
        html.drawing(
            plots.curvature(bends),
            "How the exact paths bend: evaluations are needed where the acceleration "
            f"is high. Straightness {bends.straightness:.3g} (0: one Euler step is "
            f"exact), {probes.size} paths.",
        ),
    ]


def _table(points: Sequence[Point]) -> str:
    header = (
        "solver",
        "NFE",
        "RMSE",
        "95 % interval",
        "median",
        "95th percentile",
        "flip rate",
        "PSNR, dB",
        "ms per sample",
        "compile, s",
        "peak, MiB",
    )
    rows = (
        (
            on_front(points, p),
            (
                p.name,
                str(p.nfe),
                f"{p.rmse.mean:.4g}",
                f"{p.rmse.low:.3g} to {p.rmse.high:.3g}",
                f"{p.rmse.median:.4g}",
                f"{p.rmse.p95:.4g}",
                f"{100 * p.rmse.flip_rate:.1f} %",
                f"{p.psnr:.1f}",
                f"{1e3 * p.seconds:.3g}",
                f"{p.compile_seconds:.2f}",
                f"{p.peak_bytes / 2**20:.3g}",
            ),
        )
        for p in sorted(points, key=lambda p: (p.nfe, p.error))
    )
    return html.table(header, rows)


def _samples(points: Sequence[Point], paths: Paths, data_range: float) -> list[str]:
    """Samples beside the exact ones of the same noises, best solver first."""
    kept = min(len(p.samples) for p in points)
    exact = np.asarray(paths.x1[:kept], np.float32)
    if not plots.is_image(exact.shape[1:]):
        drawn = (
            html.drawing(
                plots.scatter(exact, p.samples[:kept], title=p.name),
                f"{p.name}: RMSE {p.rmse.mean:.3g}",
            )
            for p in points
        )
        return [
            "<h3>Samples, joined to the exact ones from the same noise</h3>",
            html.group("panels", drawn),
        ]
    kept = min(kept, 8)
    exact = exact[:kept]
    # What diverged is drawn as far away, and leaves the scale to the others.
    away = {
        p.name: np.nan_to_num(np.abs(p.samples[:kept] - exact), nan=np.inf)
        for p in points
    }
    scales = [float(np.quantile(a, 0.99)) for a in away.values()]
    black = max((s for s in scales if 0 < s < np.inf), default=1.0)
    pairs = [html.strip(plots.shades(exact, data_range), "exact")]
    for p in points:
        gone = np.clip(1 - away[p.name] / black, 0, 1)
        shown = plots.shades(p.samples[:kept], data_range)
        label = f"{p.name}: RMSE {p.rmse.mean:.3g}"
        pairs += [html.strip(shown, label), html.strip(gone, f"{p.name}: difference")]
    # The exact samples' line has no differences: the other half of it stays empty.
    pairs.insert(1, "<div></div>")
    return [
        "<h3>Samples from the same noise</h3>",
        html.paragraph(
            "Each sample with its absolute difference to the exact one: white is none, "
            f"black {black:.3g} or more (data units).",
            quiet=True,
        ),
        html.group("strips", pairs),
    ]


def _inside(
    points: Sequence[Point],
    names: Sequence[str],
    field: Any,
    probes: Paths,
    schedule: Any,
) -> list[str]:
    """Where each solver errs, when it evaluates, and the best one's weights."""
    nfe, end = points[0].nfe, float(probes.end)
    # In the order of all names, absent ones too: one look a solver on the whole page.
    errors: dict[str, Any] = dict.fromkeys(names)
    for p in points:
        errors[p.name] = step_errors(field, p.solver, probes)
    known = _grids(nfe, schedule, end)
    first = points[0]
    return [
        "<h3>Inside the solve</h3>",
        html.group(
            "figures",
            [
                html.drawing(
                    plots.step_errors(errors, [n for n in names if is_fitted(n)]),
                    "Error of each evaluation's row with exact inputs, and distance of "
                    "the state from the exact path. Stages of a Runge-Kutta step are "
                    "rows too, of lower order. Inner states of fitted solvers need "
                    "not lie on the path: only the last is the sample.",
                ),
                html.drawing(
                    plots.evaluation_times(
                        {p.name: p.solver.t for p in points}, known, end=end
                    ),
                    "When each solver calls the network, above the known grids.",
                ),
                html.drawing(
                    plots.coefficients(first.solver, title=first.name),
                    f"Weights of {first.name}, the lowest error here: each row is a "
                    "state as a sum of the noise x_0 and the velocities u_j.",
                ),
            ],
        ),
    ]


def _grids(nfe: int, schedule: Any, end: float) -> dict[str, np.ndarray]:
    """The known grids that this schedule and end have."""
    known = {}
    for name in grids.NAMES:
        try:
            known[f"grid: {name}"] = grids.resolve(name, nfe, schedule, end)[:-1]
        except ValueError:
            continue  # infinite at an end of this schedule, or without one
    return known

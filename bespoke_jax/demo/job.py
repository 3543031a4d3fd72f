"""The whole job on one model: tailor solvers for all budgets, compare, write.

`bespoke demo` runs it on a shipped model. The ground truth is solved for once; the
comparison uses noises that no fit has seen.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
from matplotlib.figure import Figure

from bespoke_jax import cards
from bespoke_jax.core.solver import Solver
from bespoke_jax.fields.model import Model
from bespoke_jax.fitting.tailor import tailor
from bespoke_jax.fitting.tailored import TailoredSet
from bespoke_jax.metrics.comparison import distinct, in_order
from bespoke_jax.metrics.work_precision import Point, work_precision
from bespoke_jax.reference.of_model import solve_model
from bespoke_jax.reference.paths import Paths, take
from bespoke_jax.report import figures as plots
from bespoke_jax.report import tables
from bespoke_jax.solvers import TABLE, construct

FITTING, TEST = 256, 192
"""Exact paths to fit with, of which `tailor` holds some out, and to compare on."""
GENERIC = ("euler", "midpoint", "unipc")
"""Solvers that most users know, with their own grids."""
TAILORED, BEST = "tailored", "best generic"
"""Names of what was found, and of the best training-free solver and grid measured."""
SHOWN = 6
"""Samples drawn of each solver."""


class Job(NamedTuple):
    """What was found and measured."""

    model: Model
    tailored: TailoredSet
    held_out: Paths
    points: list[Point]
    """Tailored and generic solvers on the held-out paths, by NFE, then by error."""

    def sentences(self) -> list[str]:
        """One for each NFE: what the best generic is, and what the fit started from."""
        return [
            f"{found.solver.nfe} NFE: the best generic is {found.generic.name}, of "
            f"{len(found.starts)} solvers and grids measured; tailored from "
            f"{found.start}."
            for found in self.tailored
        ]


def run(
    model: Model, nfe: Sequence[int], *, key: jax.Array, progress: bool = True
) -> Job:
    """Tailor a solver for each NFE and compare it with generic ones.

    Args:
        model: the model.
        nfe: network evaluations of one sample.
        key: source of all noises.
        progress: show progress bars.
    """
    noise_key, fit_key = jax.random.split(key)
    paths = solve_model(model, FITTING + TEST, key=noise_key, progress=progress)
    held_out = take(paths, slice(FITTING, None))
    tailored = tailor(
        model.field, take(paths, slice(0, FITTING)), nfe=tuple(nfe), key=fit_key,
        schedule=model.schedule, start=model.start, end=model.end, progress=progress,
    )  # fmt: skip
    solvers = {
        TAILORED: [found.at() for found in tailored],
        BEST: [found.family.build(found.generic.theta) for found in tailored],
        **_generic(model, tailored.budgets),
    }
    points = work_precision(
        model.field, solvers, held_out, data_range=model.data_range, keep=SHOWN,
        fitted=[TAILORED], progress=progress,
    )  # fmt: skip
    return Job(model, tailored, held_out, in_order(points))


def _generic(model: Model, budgets: Sequence[int]) -> dict[str, list[Solver]]:
    """The generic solvers that the model and the budgets allow."""
    found = {}
    for name in GENERIC:
        if model.schedule is None and TABLE[name].needs:
            continue
        found[name] = distinct(
            construct(name, n, schedule=model.schedule, end=model.end)
            for n in budgets
            if n >= TABLE[name].stages
        )
    return {name: solvers for name, solvers in found.items() if solvers}


def write(folder: Path, job: Job, *, model: str, seed: int) -> list[Path]:
    """Write cards, table and figures, and return their paths.

    Args:
        folder: where to; it exists.
        job: what `run` returned.
        model: name of the model, for the cards.
        seed: seed of the key, for the cards.
    """
    about = {"model": model, "schedule": job.model.schedule, "seed": seed}
    files = [
        cards.save(folder / "card.json", job.tailored, **about),
        tables.write_json(folder / "table.json", job.points),
    ]
    curves: dict[str, list[tuple[int, float]]] = {}
    for point in job.points:
        curves.setdefault(point.name, []).append((point.nfe, point.rmse.mean))
    fitted = {TAILORED: curves.pop(TAILORED)}
    largest = job.tailored.members[-1].at()
    drawn = {
        "rmse_nfe.png": plots.rmse_against_nfe(curves, fitted, title=job.model.name),
        "weights.png": plots.coefficients(
            largest,
            title=f"{TAILORED}, {largest.nfe} NFE: each state as a weighted sum",
        ),
    }
    if plots.is_image(job.model.shape):
        drawn["samples.png"] = _samples(job)
    return files + [
        plots.write(figure, folder / name) for name, figure in drawn.items()
    ]


def _samples(job: Job) -> Figure:
    """Samples of some solvers at each NFE, with their differences to the exact ones."""
    named = {(point.name, point.nfe): point.samples for point in job.points}
    rows = {
        f"{name}, {nfe} NFE": named[name, nfe]
        for nfe in job.tailored.budgets
        for name in (TAILORED, BEST, "euler")
    }
    return plots.differences(job.held_out.x1, rows, data_range=job.model.data_range)

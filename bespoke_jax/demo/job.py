"""The whole job on one model: tailor a solver for each budget, compare, write.

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
from bespoke_jax.fitting.search import Tailored
from bespoke_jax.fitting.tailor import tailor
from bespoke_jax.metrics.comparison import distinct, in_order
from bespoke_jax.metrics.work_precision import Point, work_precision
from bespoke_jax.reference.of_model import solve_model
from bespoke_jax.reference.paths import Paths, take
from bespoke_jax.report import figures as plots
from bespoke_jax.report import tables
from bespoke_jax.solvers import TABLE, construct

FITTING, TEST = 320, 256
"""Exact paths to fit with, of which `tailor` holds some out, and to compare on."""
EVALUATIONS = 100_000
"""Network evaluations of one search, without the ground truth."""
GENERIC = ("euler", "midpoint", "rk4", "dpm_solver_pp_2m", "unipc")
NAME = "tailored"
SHOWN = 12
"""Samples drawn of each solver."""


class Job(NamedTuple):
    """What was found and measured."""

    model: Model
    tailored: dict[int, Tailored]
    """NFE to the solver that was found for it."""
    held_out: Paths
    points: list[Point]
    """Tailored and generic solvers on the held-out paths, by NFE, then by error."""

    def sentences(self) -> list[str]:
        """One for each NFE: how much is gained over the best training-free solver."""
        return [
            f"{nfe} NFE: RMSE {found.rmse:.3g} on paths that chose nothing; the best "
            f"of {len(found.starts)} training-free solvers and grids has "
            f"{found.start_rmse:.3g}."
            for nfe, found in self.tailored.items()
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
    solved = 0 if paths.stats is None else paths.stats.evaluations
    held_out = take(paths, slice(FITTING, None))
    tailored = {
        budget: tailor(
            model.field, take(paths, slice(0, FITTING)), nfe=budget, key=fit_key,
            schedule=model.schedule, start=model.start, end=model.end,
            evaluations=solved + EVALUATIONS, progress=progress,
        )
        for budget in dict.fromkeys(nfe)
    }  # fmt: skip
    solvers = {NAME: [found.solver for found in tailored.values()]}
    points = work_precision(
        model.field, solvers | _generic(model, list(tailored)), held_out,
        data_range=model.data_range, keep=SHOWN, fitted=[NAME], progress=progress,
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
        cards.save(folder / f"card-{nfe}.json", found, **about)
        for nfe, found in job.tailored.items()
    ]
    files.append(tables.write_json(folder / "table.json", job.points))
    curves: dict[str, list[tuple[int, float]]] = {}
    for point in job.points:
        curves.setdefault(point.name, []).append((point.nfe, point.rmse.mean))
    fitted = {NAME: curves.pop(NAME)}
    largest = job.tailored[max(job.tailored)].solver
    drawn = {
        "rmse_nfe.png": plots.rmse_against_nfe(curves, fitted, title=job.model.name),
        "weights.png": plots.coefficients(
            largest, title=f"{NAME}, {largest.nfe} NFE: each state as a weighted sum"
        ),
    }
    if plots.is_image(job.model.shape):
        drawn["samples.png"] = _samples(job)
    return files + [
        plots.write(figure, folder / name) for name, figure in drawn.items()
    ]


def _samples(job: Job) -> Figure:
    """Exact samples; for each NFE the tailored, the best generic and Euler's."""
    rows = {"exact solution": job.held_out.x1}
    for nfe in job.tailored:
        here = [point for point in job.points if point.nfe == nfe]
        generic = [point for point in here if not point.fitted]
        euler = [point for point in generic if point.name == "euler"]
        chosen = [point for point in here if point.fitted] + generic[:1] + euler
        for point in chosen:
            label = f"{point.name}, {nfe} NFE"
            rows.setdefault(label, point.samples)
    return plots.images(rows, data_range=job.model.data_range, columns=SHOWN)

"""The parts of the page with figures: error curves, samples, the inside of solvers."""

from collections.abc import Sequence

import numpy as np

from bespoke_jax import grids
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.metrics import Point, StepErrors, curvature, step_errors
from bespoke_jax.reference.paths import Paths
from bespoke_jax.report import figures as plots
from bespoke_jax.report import html


def overview(points: Sequence[Point], probes: Paths) -> list[str]:
    """Error against cost, and how the exact paths bend."""
    # Names without curves are included: a solver has one style on the whole page.
    curves: dict[str, list[tuple[int, float]]] = {p.name: [] for p in points}
    fitted: dict[str, list[tuple[int, float]]] = {}
    for p in points:
        lines = fitted.setdefault(p.name, []) if p.fitted else curves[p.name]
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


def samples(points: Sequence[Point], paths: Paths, data_range: float) -> list[str]:
    """Samples with the exact ones from the same noises, best solver first."""
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
    # A sample that diverged is drawn black and does not set the scale.
    away = {
        p.name: np.nan_to_num(
            np.abs(p.samples[:kept] - exact), nan=np.inf, posinf=np.inf
        )
        for p in points
    }
    black = plots.largest_of(away.values())
    pairs = [html.strip(plots.shades(exact, data_range), "exact")]
    for p in points:
        gone = np.clip(1 - away[p.name] / black, 0, 1)
        shown = plots.shades(p.samples[:kept], data_range)
        label = f"{p.name}: RMSE {p.rmse.mean:.3g}"
        pairs += [html.strip(shown, label), html.strip(gone, f"{p.name}: difference")]
    # The exact samples have no differences: the second half of their line is empty.
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


def inside(
    points: Sequence[Point],
    names: Sequence[str],
    field: VelocityField,
    probes: Paths,
    schedule: Schedule | None,
) -> list[str]:
    """Where each solver errs, when it evaluates, and the best one's weights."""
    nfe, end = points[0].nfe, float(probes.end)
    # All names, absent ones too: a solver has one style on the whole page.
    errors: dict[str, StepErrors | None] = dict.fromkeys(names)
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
                    plots.step_errors(errors, {p.name for p in points if p.fitted}),
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


def _grids(nfe: int, schedule: Schedule | None, end: float) -> dict[str, np.ndarray]:
    """The known grids that this schedule and end have."""
    known = {}
    for name in grids.NAMES:
        try:
            known[f"grid: {name}"] = grids.resolve(name, nfe, schedule, end)[:-1]
        except ValueError:
            continue  # infinite at an end of this schedule, or without one
    return known

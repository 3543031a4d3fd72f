"""Curves: error against NFE, errors along a solve, where the exact paths bend."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from bespoke_jax.metrics.steps import Curvature, StepErrors
from bespoke_jax.report.figures import charts, style
from bespoke_jax.report.figures.charts import Line

NFE = "network evaluations per sample (NFE)"
TIME = "time t (0 noise, 1 data)"

Pairs = Sequence[tuple[float | int, float | int]]


def rmse_against_nfe(
    curves: Mapping[str, Pairs], fitted: Mapping[str, Pairs], *, title: str = ""
) -> Figure:
    """RMSE to the exact solution against network evaluations, both on log axes.

    Args:
        curves: solver name to its (NFE, RMSE) pairs, drawn as lines. A name without
            pairs is not drawn but reserves a style, so that several figures agree.
        fitted: the same for fitted solvers, drawn as stars; a single pair has its value
            in the legend.
        title: over the axes.
    """
    figure, axes = charts.panels(1, 1, size=(5.6, 4.4))
    axis, looks = axes[0, 0], style.looks([*curves, *fitted], fitted)
    lines = {name: charts.points(pairs) for name, pairs in curves.items() if pairs}
    for name, pairs in fitted.items():
        label = name
        if len(pairs) == 1:
            ((nfe, rmse),) = pairs
            label = f"{name} ({rmse:.3g} at {nfe} NFE)"
            looks[label] = {**looks[name], "ms": 16}
        lines[label] = charts.points(pairs)
        looks.setdefault(label, looks[name])
    charts.draw(axis, lines, looks)
    ticks = [n for pairs in (*curves.values(), *fitted.values()) for n, _ in pairs]
    charts.dress(
        axis,
        title=title,
        xlabel=NFE,
        ylabel="RMSE to the exact solution (data units)",
        log="xy",
        xticks=ticks or None,
    )
    axis.margins(y=0.12)
    charts.legend(figure, columns=2, where="upper")
    return figure


def error_against_nfe(
    panels: Mapping[str, Mapping[str, Line]],
    *,
    fitted: Collection[str] = (),
    ylabel: str = "RMSE to the exact solution (data units)",
    columns: int | None = None,
    note: str = "",
) -> Figure:
    """Error against network evaluations, one panel for each model, on log axes.

    Args:
        panels: title of a panel to its solvers' lines; x is the NFE, low and high the
            edges of a band.
        fitted: names of fitted solvers, drawn with stars.
        ylabel: what the error is, with its units.
        columns, note: as for `line_chart`.
    """
    ticks = {
        float(n)
        for lines in panels.values()
        for line in lines.values()
        for n in np.ravel(np.asarray(line.x))
    }
    return charts.line_chart(
        panels, xlabel=NFE, ylabel=ylabel, log="xy", xticks=ticks, fitted=fitted,
        columns=columns, note=note,
    )  # fmt: skip


def step_errors(
    rows: Mapping[str, StepErrors | None], fitted: Collection[str] = ()
) -> Figure:
    """Errors of each row with exact inputs, and those gathered in a solve.

    Args:
        rows: solver name to its `metrics.StepErrors`; None draws nothing and reserves
            a style, as in `rmse_against_nfe`.
        fitted: names of fitted solvers, drawn with stars.
    """
    figure, axes = charts.panels(2, 1, size=(5.2, 2.8), sharex=True)
    looks = style.looks(rows, fitted)
    known = {name: steps for name, steps in rows.items() if steps is not None}
    for axis, entry, ylabel in (
        (axes[0, 0], "local", "error of the row alone\n(data units)"),
        (axes[1, 0], "reached", "distance from the exact path\n(data units)"),
    ):
        lines = {k: Line(steps.t, getattr(steps, entry)) for k, steps in known.items()}
        charts.draw(axis, lines, looks)
        charts.dress(axis, ylabel=ylabel, log="y")
    axes[1, 0].set_xlabel(TIME)
    charts.legend(figure, columns=2, where="upper")
    return figure


def curvature(measured: Curvature) -> Figure:
    """Where exact paths bend, from a `metrics.Curvature`."""
    t = np.asarray(measured.t)
    figure, axes = charts.panels(2, 1, size=(5.6, 2.0), sharex=True)
    upper, lower = axes[:, 0]
    upper.plot(t, measured.departure, color="black")
    charts.dress(upper, ylabel="velocity's departure from\nits mean (per unit time)")
    upper.set_ylim(bottom=0)
    lower.plot((t[1:] + t[:-1]) / 2, measured.acceleration, color="black")
    charts.dress(
        lower, xlabel=TIME, ylabel="acceleration\n(per unit time squared)", log="y"
    )
    return figure

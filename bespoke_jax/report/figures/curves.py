"""Curves: error against NFE, errors along a solve, where the exact paths bend."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    NullFormatter,
    NullLocator,
    ScalarFormatter,
)

from bespoke_jax.report.figures import style


def rmse_against_nfe(
    curves: Mapping[str, Sequence[tuple[int, float]]],
    fitted: Mapping[str, Sequence[tuple[int, float]]],
    *,
    title: str = "",
) -> Figure:
    """RMSE to the exact solution against network evaluations, both on log axes.

    Args:
        curves: solver name to its (NFE, RMSE) pairs, drawn as lines; without any, a
            name only takes its look, so that several figures can agree on them.
        fitted: the same for fitted solvers, drawn as stars; a single one with its
            value in the legend.
        title: over the axes.
    """
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    axis = figure.subplots()
    for (name, pairs), look in zip(curves.items(), style.lines(), strict=False):
        if not pairs:
            continue
        nfe, rmse = zip(*sorted(pairs), strict=True)
        axis.plot(nfe, rmse, label=name, **look)
    for name, pairs in fitted.items():
        nfe, rmse = zip(*sorted(pairs), strict=True)
        label = f"{name} ({rmse[0]:.3g} at {nfe[0]} NFE)" if len(nfe) == 1 else name
        look = {
            "color": style.FITTED,
            "mec": "black",
            "ms": 16 if len(nfe) == 1 else 11,
        }
        axis.plot(nfe, rmse, "*-", zorder=3, label=label, **look)
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="network evaluations per sample (NFE)",
        ylabel="RMSE to the exact solution (data units)",
        title=title,
    )
    drawn = [*curves.values(), *fitted.values()]
    ticks = sorted({n for pairs in drawn for n, _ in pairs})
    if ticks:
        axis.set_xticks(ticks)
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.margins(y=0.12)
    axis.grid(alpha=0.3, which="both")
    figure.legend(loc="outside upper center", ncols=2, fontsize=9)
    return figure


def step_errors(rows: Mapping[str, Any], fitted: Collection[str] = ()) -> Figure:
    """Errors of each row with exact inputs, and those gathered in a solve.

    Args:
        rows: solver name to its `metrics.StepErrors`, or None to take its look only.
        fitted: names drawn as fitted solvers, in one solid colour with stars.
    """
    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for (name, steps), look in zip(rows.items(), style.lines(), strict=False):
        if steps is None:
            continue
        if name in fitted:
            look = {"color": style.FITTED, "ls": "-", "marker": "*", "ms": 9}
        axes[0].plot(steps.t, steps.local, label=name, **look)
        axes[1].plot(steps.t, steps.reached, **look)
    axes[0].set_ylabel("error of the row alone\n(data units)")
    axes[1].set_ylabel("distance from the exact path\n(data units)")
    axes[1].set_xlabel("time t (0 noise, 1 data)")
    for axis in axes:
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2, fontsize=8)
    return figure


def curvature(measured: Any) -> Figure:
    """Where exact paths bend, from a `metrics.Curvature`."""
    t = np.asarray(measured.t)
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot(t, measured.departure, color="black")
    upper.set_ylabel("velocity's departure from\nits mean (per unit time)")
    lower.plot((t[1:] + t[:-1]) / 2, measured.acceleration, color="black")
    lower.set(yscale="log", xlabel="time t (0 noise, 1 data)")
    lower.set_ylabel("acceleration\n(per unit time squared)")
    for axis in (upper, lower):
        axis.grid(alpha=0.3)
    upper.set_ylim(bottom=0)
    return figure

"""What a solver is made of: its times, its weights, its learned path."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bespoke_jax.core.solver import Solver, canonical
from bespoke_jax.report.figures import style


def learned_path(
    values: Mapping[str, ArrayLike], *, end: float | int, title: str = ""
) -> Figure:
    """The learned time t(r) and scale s(r) at their nodes, with the identity's.

    Args:
        values: `family.values(theta)` of a scale-time family: r, t, s, (nodes,) each.
        end: end of the interval; the identity is t = end r, s = 1.
        title: over both panels.
    """
    r, t, s = (np.asarray(values[key], np.float64) for key in ("r", "t", "s"))
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis, learned, identity, name in (
        (left, t, end * r, "time t(r)"),
        (right, s, np.ones_like(r), "scale s(r)"),
    ):
        axis.plot(r, identity, color="0.45", ls="--", label="identity (base solver)")
        axis.plot(r, learned, color=style.FITTED, marker="o", ms=4, label="learned")
        axis.set(xlabel="solver time r", ylabel=name)
        axis.grid(alpha=0.3)
    left.legend()
    figure.suptitle(title, fontsize=11)
    return figure


def evaluation_times(
    solvers: Mapping[str, ArrayLike],
    grids: Mapping[str, ArrayLike],
    *,
    end: float | int = 1.0,
) -> Figure:
    """When each solver calls the network, above the known grids of as many times.

    Args:
        solvers: name to times (n,), drawn in colour.
        grids: name to times, in grey below them.
        end: end of the interval.
    """
    lines = [*solvers.items(), *grids.items()]
    figure = Figure(figsize=(5.6, 0.7 + 0.27 * len(lines)), layout="constrained")
    axis = figure.subplots()
    for place, (_, times) in enumerate(lines):
        learned = place < len(solvers)
        axis.plot((0, end), (place, place), color="0.85", lw=0.8, zorder=1)
        axis.plot(
            np.asarray(times),
            np.full(np.size(times), place),
            ls="",
            marker="o" if learned else "|",
            ms=6 if learned else 9,
            mfc="none",
            mec=style.FITTED if learned else "0.3",
            mew=1.3,
        )
    axis.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=8)
    axis.invert_yaxis()
    axis.set(xlabel="time t of the network evaluations", xlim=(-0.02, 1.02))
    axis.grid(axis="x", alpha=0.3)
    return figure


def coefficients(solver: Solver, *, title: str = "") -> Figure:
    """The canonical weights a_i and b_ij of a solver as a heat map.

    x_{i+1} = a_i x_0 + sum_{j <= i} b_ij u_j: row i is the state after evaluation i,
    the last row the sample. Colours are linear near 0 and logarithmic beyond.

    Args:
        solver: any valid `Solver`.
        title: over the map.
    """
    a, b = canonical(solver)
    n = solver.nfe
    weights = np.concatenate([a[:, None], b], axis=1)
    unused = np.concatenate([np.zeros((n, 1), bool), ~np.tri(n, dtype=bool)], axis=1)
    most = np.abs(weights).max()
    size = min(1.4 + 0.38 * n, 6.0)
    figure = Figure(figsize=(size + 1.2, size), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(
        np.ma.masked_array(weights, unused),
        cmap="PuOr",
        norm=SymLogNorm(linthresh=most / 20, vmin=-most, vmax=most),
        aspect="auto",
    )
    if n <= 10:
        for i, j in zip(*np.nonzero(~unused), strict=True):
            dark = abs(float(image.norm(weights[i, j])) - 0.5) > 0.3  # pyright: ignore
            colour = "white" if dark else "black"
            text = f"{weights[i, j]:.2g}".replace("0.", ".")
            axis.text(j, i, text, color=colour, ha="center", va="center", fontsize=7)
    axis.set_xticks(range(n + 1), ["$x_0$", *(f"$u_{{{j}}}$" for j in range(n))])
    axis.set_yticks(range(n), [f"$x_{{{i + 1}}}$" for i in range(n)])
    axis.tick_params(labelsize=8 if n <= 12 else 6)
    axis.set_title(title, fontsize=10)
    marks = [-most, -most / 10, 0.0, most / 10, most]
    bar = figure.colorbar(image, ax=axis, label="weight", shrink=0.8, ticks=marks)
    bar.ax.set_yticklabels([f"{mark:.2g}" for mark in marks])
    bar.ax.minorticks_off()
    return figure

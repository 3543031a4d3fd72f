"""The tables, the sentences and the figure of theta as n grows."""

from itertools import pairwise
from pathlib import Path

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.ablations.limit.measure import LOSSES, MODELS, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
GRID = np.linspace(0.0, 1.0, 401)  # of r
MARKERS = "osv^DPX*h"


def on_grid(row: dict) -> tuple[np.ndarray, np.ndarray]:
    """t_r / end and log s_r, linear between the nodes."""
    r = np.array(row["r"])
    return np.interp(GRID, r, row["t"]), np.interp(GRID, r, np.log(row["s"]))


def distances(a: dict, b: dict) -> tuple[float, ...]:
    """Largest differences of t_r / end and of log s_r."""
    pairs = zip(on_grid(a), on_grid(b), strict=True)
    return tuple(float(np.abs(x - y).max()) for x, y in pairs)


def slope(n: tuple[int, ...], distance: list[float]) -> tuple[float, float]:
    """Log-log slope of the distance per unit of log n, and its standard error.

    The steps from one n to the next differ in ratio; where values approach a limit
    like n^-p, the distance over log(n' / n) falls with that very power.
    """
    pairs = np.array(list(pairwise(n)), float)
    ratio = np.log(pairs[:, 1] / pairs[:, 0])
    x = np.log(pairs).mean(axis=1)
    y = np.log(np.maximum(distance, 1e-12) / ratio)
    x = x - x.mean()
    value = x @ y / (x @ x)
    rest = y - y.mean() - value * x
    freedom = len(y) - 2
    error = np.sqrt(rest @ rest / freedom / (x @ x)) if freedom > 0 else np.inf
    return float(value), float(error)


def trend(n: tuple[int, ...], distance: list[float]) -> tuple[str, str]:
    """What a distance does as n grows, in one word, and the slope that says so."""
    value, error = slope(n, distance)
    word = "shows no clear trend"
    if abs(value) > 2 * error:
        word = "shrinks" if value < 0 else "grows"
    return word, f"{value:.2f} +- {error:.2f}"


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    complete = len(config.tasks())  # another process may be at work on its model
    stored = harness.stored(config.results, MODELS, complete=complete)
    lines, words = [], []
    for name, results in stored.items():
        found, more = of_model(config, name, results)
        lines += found
        words += more
    setup = config.setup
    t, s = (sum(pair[i] == "shrinks" for pair in words) for i in (0, 1))
    lines += [
        f"From one n to the next the curves come closer as n grows, t_r in {t} and s_r "
        f"in {s} of {len(words)} series of fits (models and losses).",
        "",
        "Largest difference between the curves of one n and the next, linear between "
        "nodes; s at inner nodes is sqrt(s_i s_{i+1}), which changes no solver. Slope: "
        "of log(distance / log(n'/n)) against log n, with its standard error; a trend "
        "is a slope off zero by more than two of them. Fits of "
        f"{setup.iterations} iterations of {setup.batch_size} paths from the identity, "
        f"seed {setup.seed}. {harness.hardware(stored.values())}.",
    ]
    pages.write(HERE, "limit", lines)
    draw(config, stored)


def of_model(
    config: Config, name: str, results: harness.Results
) -> tuple[list[str], list[list[str]]]:
    """The lines of one model, and for each loss what the distances do as n grows."""
    body, notes, words = [], [], []
    for loss, (label, _) in LOSSES.items():
        n = config.steps(loss)
        rows = [results.get(loss=loss, n=k, batches=0) for k in n]
        gaps = [distances(*pair) for pair in pairwise(rows)]
        found = dict(zip(pairwise(n), gaps, strict=True))
        for i, symbol in enumerate(("t_r / end", "log s_r")):
            cells = [found.get(p, (None, None))[i] for p in pairwise(config.n)]
            body.append((f"{symbol}, {label}", cells))
        trends = [trend(n, list(each)) for each in zip(*gaps, strict=True)]
        words.append([word for word, _ in trends])
        notes.append(note(f"{name}, {label}", n, rows, gaps[-1], trends))
    first, again = (
        results.get(loss="bound", n=config.repeat, batches=k) for k in (0, 1)
    )
    t, s = distances(first, again)
    heads = [f"{a} to {b}" for a, b in pairwise(config.n)]
    lines = [*pages.table(f"{name}: from n to n", heads, body), "", *notes]
    lines += [
        f"- Two fits of the bound at n = {config.repeat} that differ in nothing "
        f"but batches are {t:.2g} apart in t_r / end and {s:.2g} in log s_r.",
        "",
    ]
    return lines, words


def note(
    title: str,
    n: tuple[int, ...],
    rows: list[dict],
    gap: tuple[float, ...],
    trends: list[tuple[str, str]],
) -> str:
    """Whether the curves of one loss come together, and whether at the identity."""
    r = rows[-1]["r"]
    away = distances(rows[-1], {"r": r, "t": r, "s": np.ones(len(r))})
    moved = [k for k, a, b in zip(("t_r", "s_r"), away, gap, strict=True) if a > b]
    drift = [float(np.abs(row["drift"]).max()) for row in rows]
    stuck = sum(row["validation"] >= row["validation_start"] for row in rows)
    (t, slope_t), (s, slope_s) = trends
    return (
        f"- {title}: as n grows the distance in t_r {t} (slope {slope_t}), in log s_r "
        f"it {s} (slope {slope_s}). At n = {n[-1]} they are {away[0]:.2g} and "
        f"{away[1]:.2g} from the identity (further than from the n before: "
        f"{' and '.join(moved) or 'neither'}). Largest effective drift {drift[0]:.2g} "
        f"at n = {n[0]}, {drift[-1]:.2g} at n = {n[-1]}. Fits that found nothing "
        f"better than the identity: {stuck} of {len(rows)}."
    )


def draw(config: Config, stored: dict[str, harness.Results]) -> None:
    """The learned time, scale and drift of every model, light to dark as n grows."""
    figure, axes = bj.plots.panels(len(stored), 3, size=(4.3, 3.4), sharex=True)
    shades = figures.gradation(len(config.n))
    ylabels = ("time: $t_r$ / end $-$ r", "scale $s_r$")
    ylabels += ("effective drift $n (C + D P - 1)$",)
    for line, (name, results) in zip(axes, stored.items(), strict=True):
        for axis, level, ylabel in zip(line, (0, 1, 0), ylabels, strict=True):
            axis.plot([0, 1], 2 * [level], color="0.5", ls="--", label="identity (RK2)")
            bj.plots.dress(axis, title=f"{name}, RMSE bound", ylabel=ylabel)
        for i, n in enumerate(config.n):
            row = results.get(loss="bound", n=n, batches=0)
            style = {"color": shades[i], "marker": MARKERS[i % len(MARKERS)]}
            style |= {"ms": 3.5, "lw": 1.2, "label": f"n = {n}"}
            # The departure from r: the curves themselves could not be told apart.
            line[0].plot(row["r"], np.subtract(row["t"], row["r"]), **style)
            line[1].plot(row["r"], row["s"], **style)
            line[2].plot((np.arange(n) + 0.5) / n, row["drift"], **style)
    for axis in axes[-1]:
        axis.set_xlabel("solver time r")
    bj.plots.legend(figure, columns=5)
    figures.save(figure, HERE / "limit.png")

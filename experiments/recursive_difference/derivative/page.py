"""The tables and the figures of the derivative estimates."""

from pathlib import Path

import numpy as np

from experiments import harness
from experiments.harness import figures, pages
from experiments.recursive_difference.derivative.measure import (
    ESTIMATES,
    NAMES,
    Config,
)

HERE = Path(__file__).parent
SHOWN = ("FD", "RD(3)", "RD(inf)", "full (3)", "EI")


def write(config: Config) -> None:
    """Write the page and the figures from the stored results."""
    stored = harness.stored(config.results, NAMES)
    lines = []
    for name, results in stored.items():
        lines += [*limit_table(config, name, results), ""]
        lines += [*grid_table(config, name, results), ""]
        lines += [verdict(config, name, results), ""]
    lines += [
        f"Relative RMS error over {config.samples} samples and all dimensions; on the "
        f"grids the median over the steps. Seed {config.seed}, float64. "
        f"{harness.hardware(stored.values())}."
    ]
    pages.write(HERE, "derivative", lines)
    draw_limit(config, stored)
    draw_needed(config, stored)


COLUMNS = (*ESTIMATES, "share RD(3) < FD")


def limit_table(config: Config, name: str, results: harness.Results) -> list[str]:
    """Errors of the estimates as the step shrinks."""
    body = []
    for tau in config.starts:
        for shrink in (0.5, 0.1, *config.shrink[-2:]):
            row = results.get(kind="limit", tau=tau, shrink=shrink)
            cells = [row[key] for key in (*ESTIMATES, "closer")]
            body.append((f"{tau:g}, {1 - shrink:g}", cells))
    return pages.table(f"{name}: tau_s, tau_p / tau_s", COLUMNS, body)


def grid_table(config: Config, name: str, results: harness.Results) -> list[str]:
    """Errors of the estimates at the nodes of the solvers."""
    body = []
    for nfe in config.nfe:
        row = results.get(kind="grid", nfe=nfe)
        for at, label in (("exact", "exact"), ("euler", "Euler")):
            body.append((f"{nfe} NFE, {label} node", medians(row, at)))
    return pages.table(f"{name}: NSR grid", COLUMNS, body)


def medians(row: harness.Row, at: str) -> list[float]:
    """Median over the steps of a grid of each estimate's error, then of `closer`."""
    return [
        float(np.median([step[at][key] for step in row["steps"]]))
        for key in (*ESTIMATES, "closer")
    ]


def verdict(config: Config, name: str, results: harness.Results) -> str:
    """Orders of the estimates, and what a step of a solver needs, from the rows."""
    pair = config.shrink[-2:]
    slopes = {key: [] for key in ESTIMATES}
    last = {key: [] for key in ESTIMATES}
    for tau in config.starts:
        two = [results.get(kind="limit", tau=tau, shrink=s) for s in pair]
        for key in ESTIMATES:
            slope = np.log(two[0][key] / two[1][key]) / np.log(pair[0] / pair[1])
            slopes[key].append(slope)
            last[key].append(two[1][key])
    order = {key: float(np.median(value)) for key, value in slopes.items()}
    steps = [
        step
        for nfe in config.nfe
        for step in results.get(kind="grid", nfe=nfe)["steps"]
    ]
    wins = sum(step["euler"]["RD(3)"] < step["euler"]["FD"] for step in steps)
    near = sum(abs(s["needed"] - 1.5) < abs(s["needed"] - 1) for s in steps)
    return (
        f"{name}: as the step shrinks, the error falls with the power "
        f"{order['FD']:.2f} of it for FD, {order['EI']:.2f} for EI, "
        f"{order['full (3)']:.2f} for the full formula, {order['RD(3)']:.2f} for "
        f"RD(3), which ends at {np.median(last['RD(3)']):.3f} "
        f"(RD(inf): {np.median(last['RD(inf)']):.3f}). On the grids, with the node "
        f"that the program sees, RD(3) estimates better than FD in {wins} of "
        f"{len(steps)} steps; the multiple of FD that makes the step exact is nearer "
        f"to 1.5 than to 1 in {near} of {len(steps)}."
    )


def draw_limit(config: Config, stored: dict[str, harness.Results]) -> None:
    """Error of the estimates against the step, at one point of the path."""
    tau = config.starts[1]
    row = lambda results, s: results.get(kind="limit", tau=tau, shrink=s)
    line = lambda results, key: {s: row(results, s)[key] for s in config.shrink}
    found = {
        f"{name}, tau = {tau:g}": {key: line(results, key) for key in SHOWN}
        for name, results in stored.items()
    }
    figure = figures.chart(
        found,
        xlabel="relative step 1 - tau_p / tau_s",
        ylabel="relative error of the derivative estimate",
        log="x",
    )
    for axis in figure.axes:
        axis.set_yscale("log")  # marks at decades: the errors span eight of them
    figures.save(figure, HERE / "derivative_limit.png")


def draw_needed(config: Config, stored: dict[str, harness.Results]) -> None:
    """The multiple of FD that makes each step of a grid exact."""
    shown = (config.nfe[0], config.nfe[len(config.nfe) // 2], config.nfe[-1])
    steps = lambda results, nfe: results.get(kind="grid", nfe=nfe)["steps"]
    line = lambda results, nfe: {s["tau"]: s["needed"] for s in steps(results, nfe)}
    found = {
        name: {f"{n} NFE": line(results, n) for n in shown}
        for name, results in stored.items()
    }
    labels = {"xlabel": "tau = sigma / alpha at the step"}
    labels["ylabel"] = "multiple of FD that makes the step exact"
    figure = figures.chart(found, log="x", **labels)
    for axis in figure.axes:
        for level, text in ((1.0, "FD"), (1.5, "RD(3)")):
            axis.axhline(level, color="0.6", lw=1)
            place = {"ha": "right", "va": "bottom", "fontsize": 8}
            at = ("axes fraction", "data")
            axis.annotate(text, (0.99, level), xycoords=at, **place)
        axis.set_ylim(-0.5, 3)
        axis.invert_xaxis()
    figures.save(figure, HERE / "needed.png")

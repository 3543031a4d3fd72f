"""The tables, the sentences and the figure of the cost of ground truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.harness import figures, pages

HERE = Path(__file__).parent
LABELS = {
    "reference.solve": "reference.solve: dense states and certificate",
    "reference.solve_at": "reference.solve_at: the same solves, end points only",
    "diffrax, per sample": "diffrax, a vmapped call: a tolerance per sample",
    "diffrax, batch": "diffrax, one call for the batch (naive)",
    "torchdiffeq, batch": "torchdiffeq dopri5, one call for the batch",
}
MARGIN = 1.02  # of a method's own range, when read at another's error


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    paths: int = 128
    seed: int = 0
    tolerance: float = 1e-5
    swept: tuple[float, ...] = (1e-3, 1e-4, 1e-5, 1e-6)
    exact: float = 1e-9  # of the float64 solve
    rounds: int = 3


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    del config  # the results have that of their measurement
    result = harness.load(HERE / "results.json")
    pages.write(HERE, "ground_truth", text(result))
    draw(result)


def text(result: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    config, rows = result["config"], result["rows"]
    tolerance = config["tolerance"]
    here = [row for row in rows if row["tolerance"] == tolerance]
    columns = ["evaluations per path", "of the slowest path", "ms per path"]
    columns += ["error, median", "error, 95 %", "error, largest"]
    body = [
        (
            LABELS[row["method"]],
            [
                row["evaluations"], row["largest"], 1e3 * row["seconds"],
                *(f"{row[key]:.1e}" for key in ("median", "p95", "max")),
            ],
        )
        for row in here
    ]  # fmt: skip
    calls = result["call_ms"]
    certificate = result["certificate"]
    return [
        *pages.table(f"rtol = atol = {tolerance:.0e}", columns, body),
        "",
        "Errors are per-sample RMS norms to the float64 solve, at the end point. At "
        f"ten times its tolerance that solve ends within {result['exact']['max']:.0e} "
        "of itself.",
        "",
        *pages.table(
            "reference.solve, evaluations per path",
            list(result["parts"]),
            [
                (
                    f"of {sum(result['parts'].values()):.0f}",
                    list(result["parts"].values()),
                )
            ],
        ),
        "",
        f"The certificate is of {certificate['samples']} samples: their end points "
        f"move by at most {certificate['endpoint']:.1e} at the tighter tolerance, and "
        f"the dense states are within {certificate['interpolation']:.1e} between "
        "knots.",
        "",
        *equal(result),
        "",
        "One network call at batch "
        f"{config['paths']}: "
        + ", ".join(f"{name} {value:.1f} ms" for name, value in calls.items())
        + f". The two networks differ by {result['parity']:.0e} of the velocity.",
        "",
        f"{config['model']} U-Net, {config['paths']} paths, float32; medians of "
        f"{config['rounds']} runs in turn, compilation left out. {result['machine']}. "
        "A CPU build of torch is sufficient.",
    ]


def equal(result: dict[str, Any]) -> list[str]:
    """What each method costs where it delivers what reference.solve does."""
    rows, tolerance = result["rows"], result["config"]["tolerance"]
    ours = next(
        row
        for row in rows
        if (row["method"], row["tolerance"]) == ("reference.solve", tolerance)
    )
    body = []
    for method, label in LABELS.items():
        cells = []
        for error in ("median", "p95", "max"):
            cells += [
                at(rows, method, error, ours[error], cost)
                for cost in ("evaluations", "seconds")
            ]
        cells[1::2] = [None if c is None else 1e3 * c for c in cells[1::2]]
        body.append((label, cells))
    columns = []
    for error, name in (("median", "median"), ("p95", "95 %"), ("max", "largest")):
        columns += [f"evaluations, {name} {ours[error]:.1e}", "ms"]
    return [
        *pages.table("Cost per path at the same error", columns, body),
        "",
        "Read off the sweep of tolerances "
        f"({', '.join(f'{t:.0e}' for t in result['config']['swept'])}) along straight "
        "lines between logarithms; a dash is an error that no tolerance of the sweep "
        "gives.",
    ]


def at(rows: list, method: str, error: str, value: float, cost: str) -> float | None:
    """The cost at which a method's error is the value, along the sweep."""
    mine = sorted((row[error], row[cost]) for row in rows if row["method"] == method)
    x, y = np.log(np.array(mine)).T
    if not x[0] - np.log(MARGIN) <= np.log(value) <= x[-1] + np.log(MARGIN):
        return None
    return float(np.exp(np.interp(np.log(value), x, y)))


def draw(result: dict[str, Any]) -> None:
    """Error against evaluations and against time, a ring at the asked tolerance."""
    tolerance = result["config"]["tolerance"]
    figure, axes = bj.plots.panels(1, 2, size=(5.2, 5.4), sharey=True)
    looks = bj.plots.looks(LABELS)
    costs = (
        ("evaluations", 1.0, "network evaluations per path"),
        ("seconds", 1e3, "time per path (ms)"),
    )
    ring = {"ls": "", "marker": "o", "ms": 14, "mfc": "none"}
    for axis, (key, unit, label) in zip(axes[0], costs, strict=True):
        for method, look in looks.items():
            mine = [row for row in result["rows"] if row["method"] == method]
            x, y = [unit * row[key] for row in mine], [row["p95"] for row in mine]
            axis.plot(x, y, label=LABELS[method], **look)
            mark = next(row for row in mine if row["tolerance"] == tolerance)
            axis.plot(unit * mark[key], mark["p95"], mec=look.get("color"), **ring)
        bj.plots.dress(axis, xlabel=label, log="xy")
    first = axes[0, 0]
    first.set_ylabel("95th percentile of the error (RMS of a sample, pixels)")
    first.plot([], [], label=f"rtol = atol = {tolerance:.0e}", mec="0.3", **ring)
    bj.plots.legend(figure, columns=2)
    figures.save(figure, HERE / "ground_truth.png")

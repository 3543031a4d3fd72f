"""The tables in README.md and the figure of `experiments.benchmarks.ground_truth`."""

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from experiments import harness

matplotlib.use("Agg")
HERE = Path(__file__).parent
STYLES = {
    "reference.solve": ("black", "o", "-"),
    "reference.solve_at": ("tab:blue", "s", "--"),
    "diffrax, per sample": ("tab:green", "^", ":"),
    "diffrax, batch": ("tab:orange", "v", "-."),
    "torchdiffeq, batch": ("tab:red", "D", (0, (6, 2, 1, 2, 1, 2))),
}
LABELS = {
    "reference.solve": "reference.solve: dense states and certificate",
    "reference.solve_at": "reference.solve_at: the same solves, end points only",
    "diffrax, per sample": "diffrax, a vmapped call: a tolerance per sample",
    "diffrax, batch": "diffrax, one call for the batch (naive)",
    "torchdiffeq, batch": "torchdiffeq dopri5, one call for the batch",
}
MARGIN = 1.02  # of a method's own range, when read at another's error


def write(result: dict[str, Any]) -> None:
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
    lines = [
        *harness.table(f"rtol = atol = {tolerance:.0e}", columns, body),
        "",
        "Errors are per-sample RMS norms to the float64 solve, at the end point. At "
        f"ten times its tolerance that solve ends within {result['exact']['max']:.0e} "
        "of itself.",
        "",
        *harness.table(
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
        "A CPU build of torch suffices.",
    ]
    harness.write_block(HERE / "README.md", "ground_truth", lines)
    draw(result)


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
        *harness.table("Cost per path at the same error", columns, body),
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
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10.5, 5.4), sharey=True)
    costs = (("evaluations", 1.0, "network evaluations per path"),
             ("seconds", 1e3, "time per path (ms)"))  # fmt: skip
    for axis, (key, unit, label) in zip(axes, costs, strict=True):
        for method, (colour, marker, dash) in STYLES.items():
            mine = [row for row in result["rows"] if row["method"] == method]
            axis.plot(
                [unit * row[key] for row in mine], [row["p95"] for row in mine],
                color=colour, marker=marker, ls=dash, ms=6, label=LABELS[method],
            )  # fmt: skip
            mark = next(
                row for row in mine if row["tolerance"] == result["config"]["tolerance"]
            )
            axis.plot(unit * mark[key], mark["p95"], "o", ms=14, mfc="none", mec=colour)
        axis.set(xscale="log", yscale="log", xlabel=label)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("95th percentile of the error (RMS of a sample, pixels)")
    axes[0].plot(
        [], [], "o", ms=12, mfc="none", mec="0.3",
        label=f"rtol = atol = {result['config']['tolerance']:.0e}",
    )  # fmt: skip
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "ground_truth.png", dpi=110)


if __name__ == "__main__":
    # The page again from the committed results, without torch.
    write(json.loads((HERE / "ground_truth.json").read_text()))

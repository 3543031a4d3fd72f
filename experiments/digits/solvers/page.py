"""The tables and the figure of the Runge-Kutta solvers on the digits models."""

from pathlib import Path

import bespoke_jax as bj
from experiments import harness
from experiments.digits.solvers import adaptive
from experiments.digits.solvers.measure import MODELS, STAGES, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
RULES = {"euler": "RK1", "midpoint": "RK2", "rk4": "RK4"}
LABELS = {
    **{base: f"{rule} ({base})" for base, rule in RULES.items()},
    "rk4": "RK4",
    "adaptive": "diffrax, best adaptive solve within the NFE",
    **{f"bespoke_{k}": f"{rule}-Bespoke, direct RMSE" for k, rule in RULES.items()},
    "bound_midpoint": "RK2-Bespoke, RMSE bound",
    "limit_midpoint": "RK2-Bespoke, direct RMSE, ten times the effort",
}

Curves = dict[str, dict[int, float | None]]


def curves(config: Config, rows: list[harness.Row]) -> Curves:
    """Label to NFE to RMSE, None where it was not measured."""
    found: dict[tuple[str, int], float] = {}
    for row in rows:
        if row["kind"] == "adaptive":
            continue
        prefix = "" if row["kind"] == "generic" else f"{row['kind']}_"
        found[prefix + row["base"], row["nfe"]] = row["rmse"]
    lines: Curves = {k: {n: found.get((k, n)) for n in config.nfe} for k in LABELS}
    points = next((r["points"] for r in rows if r["kind"] == "adaptive"), [])
    lines["adaptive"] = {n: adaptive.best(points, n) for n in config.nfe}
    return lines


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    found = harness.stored(config.results, MODELS)
    by_model = {name: curves(config, each.rows) for name, each in found.items()}
    lines = []
    for name, columns in by_model.items():
        body = [(LABELS[label], list(line.values())) for label, line in columns.items()]
        lines += [*pages.table(f"{name}: RMSE at NFE", config.nfe, body), ""]
        lines += [verdict(name, columns, config.nfe[0]), ""]
    rows = [row for each in found.values() for row in each.rows]
    endpoint = max(row["endpoint"] for row in rows if "endpoint" in row)
    lines += [
        f"{pages.fits(config.setup, endpoint)} Adaptive solves: the first 256 test "
        f"noises, methods {' and '.join(adaptive.METHODS)} at "
        f"{len(adaptive.TOLERANCES)} tolerances, mean NFE. "
        f"{harness.hardware(found.values())}.",
    ]
    pages.write(HERE, "solvers", lines)
    shown = {key: LABELS[key] for key in LABELS if key != "limit_midpoint"}
    panels = {name: figures.lines(each, shown) for name, each in by_model.items()}
    figure = bj.plots.error_against_nfe(panels, ylabel=figures.ERROR)
    figures.save(figure, HERE / "rmse_nfe.png")


def verdict(name: str, columns: Curves, nfe: int) -> str:
    """The figure of merit at one NFE."""
    rmse = lambda label: columns[label][nfe] or float("nan")
    generic = min(rmse(base) for base in STAGES)
    fit = min(rmse("bespoke_midpoint"), rmse("bound_midpoint"))
    return (
        f"{name}, smallest NFE: the fitted RK2 has {fit / generic:.2f} times the RMSE "
        f"of the best of RK1, RK2 and RK4; with ten times the effort "
        f"{rmse('limit_midpoint') / generic:.2f} times."
    )

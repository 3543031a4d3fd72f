"""The best training-free solvers of each digits model, and which one to pick."""

from pathlib import Path

import numpy as np

from experiments import harness
from experiments.digits.training_free.measure import (
    GRIDS,
    KINDS,
    NAMES,
    Config,
)
from experiments.harness import pages

HERE = Path(__file__).parent


def measured(stored: dict[str, harness.Results]) -> int:
    """The number of solvers that were measured."""
    return len({row["solver"] for each in stored.values() for row in each.rows})


def at(results: harness.Results, nfe: int) -> dict[tuple[str, str], float]:
    """RMSE by (solver, grid) at one NFE; infinite where a solve diverged."""
    return {
        (row["solver"], row["grid"]): row["rmse"] if row["rmse"] < np.inf else np.inf
        for row in results.rows
        if row["nfe"] == nfe and "rmse" in row
    }


def pick(found: list[dict[tuple[str, str], float]]) -> tuple[tuple[str, str], float]:
    """The (solver, grid) whose worst ratio to the best one is lowest, and that ratio.

    `found` has one `at` per model.
    """
    worst = {
        key: max(rows[key] / min(rows.values()) for rows in found)
        for key in set.intersection(*(set(rows) for rows in found))
    }
    # Ties (identical methods) go by name, so that the page does not change by itself.
    key = min(worst, key=lambda key: (round(worst[key], 4), key))
    return key, worst[key]


def write(config: Config) -> None:
    """Write the page, and the advice in the project's README, from the results."""
    stored = harness.stored(config.results, NAMES)
    lines = []
    for name, results in stored.items():
        rows = []
        for nfe in config.nfe:
            found = at(results, nfe)
            order = sorted(found, key=lambda key: (round(found[key], 6), key))[:4]
            cells = [f"{s}, {g} ({found[s, g]:.3g})" for s, g in order]
            rows.append((str(nfe), cells))
        columns = ("best", "second", "third", "fourth")
        lines += [*pages.table(f"{name}: NFE", columns, rows), ""]
    lines += [
        f"RMSE in brackets. {config.samples} test noises, seed "
        f"{config.setup.seed + 1000}; {measured(stored)} solvers on up to "
        f"{len(GRIDS)} grids. {harness.hardware(stored.values())}."
    ]
    pages.write(HERE, "training_free", lines)
    if len(stored) == len(NAMES):
        pages.write(HERE.parents[2], "choose", advice(config, stored))


def advice(config: Config, stored: dict[str, harness.Results]) -> list[str]:
    """The pick of each kind of model at each NFE."""
    body = []
    for nfe in config.nfe:
        cells = []
        for names in KINDS.values():
            found = [at(stored[name], nfe) for name in names]
            (solver, grid), worst = pick(found)
            errors = " / ".join(f"{rows[solver, grid]:.3g}" for rows in found)
            ratio = f"; {worst:.2f}" if len(names) > 1 else ""
            cells.append(f'`{solver}`, grid="{grid}" ({errors}{ratio})')
        body.append((str(nfe), cells))
    return [
        *pages.table("NFE", list(KINDS), body),
        "",
        "In brackets the RMSE on the digits models of the kind (where there are two, "
        "also the larger of the ratios to the best solver of each model). Chosen among "
        f"{measured(stored)} solvers on up to {len(GRIDS)} grids, {config.samples} "
        "noises; the first four of each model are in "
        "[experiments/digits](experiments/digits/training_free/README.md), made by "
        "`uv run python -m experiments.digits.training_free`.",
    ]

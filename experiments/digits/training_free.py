"""Every training-free solver on every grid, and which one to pick.

    uv run python -m experiments.digits.training_free

All of `solvers.TABLE` with its defaults, and the multistep SciRE-Solvers with phi="fd",
on each named grid that the model's path allows. The pick at an NFE is the solver and
grid whose worst ratio to the best one, over the models of a kind, is lowest: what to
use when the model cannot be tried first. `--models eps_vp` does one model; the pages
are written from all that are there. Writes `results/training_free-*.json`, the tables
in README.md and the pick in the project's README.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tyro

import bespoke_jax as bj
from bespoke_jax import solvers
from experiments import harness
from experiments.digits import models

HERE = Path(__file__).parent
KINDS = {
    "flow matching (CondOT, Cosine)": ("fm_ot", "fm_cs"),
    "diffusion, VP": ("eps_vp",),
    "diffusion, EDM": ("edm",),
}
NAMES = tuple(name for names in KINDS.values() for name in names)
SAME = ("dpm_solver_1", "edm_euler", "edm_dpm_2")  # ddim twice, dpm_solver_2
FD = ("scire_v1_2m", "scire_v1_3m", "scire_v2_2m", "scire_v2_3m")
GRIDS = ("uniform", "quadratic", "log_snr", "nsr", "edm")


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    nfe: tuple[int, ...] = (4, 5, 6, 8, 10, 12, 16, 20)
    samples: int = 256  # the first of the test noises
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        return {"nfe": self.nfe, "samples": self.samples, **self.setup.described()}

    def results(self, name: str) -> harness.Results:
        path = HERE / "results" / f"training_free-{name}.json"
        return harness.Results(path, self.described())


def candidates() -> dict[str, Callable[..., bj.Solver]]:
    """Label -> constructor of (nfe, schedule=, grid=, end=)."""
    table: dict[str, Callable[..., bj.Solver]] = {
        name: partial(solvers.construct, name)
        for name in solvers.TABLE
        if name not in SAME
    }
    for name in FD:
        constructor = partial(getattr(solvers, name), phi="fd")
        table[f'{name}(phi="fd")'] = lambda nfe, schedule, make=constructor, **rest: (
            make(schedule, nfe=nfe, **rest)
        )
    return table


def measure(config: Config, name: str) -> None:
    model = models.load(name)
    results = config.results(name)
    paths = bj.paths.take(
        harness.solved(
            config.setup,
            model,
            config.setup.test,
            f"{name}-test",
            seed=config.setup.seed + 1000,
        ),
        slice(0, config.samples),
    )

    def one(make: Callable, nfe: int, grid: str) -> dict[str, Any]:
        try:
            solver = make(nfe, schedule=model.schedule, grid=grid, end=model.end)
        except ValueError as reason:
            # A grid that this path does not have, or too few evaluations for a step.
            return {"refused": str(reason)}
        return {"spent": solver.nfe, **harness.errors(model.field, solver, paths)}

    for nfe in config.nfe:
        for label, make in candidates().items():
            for grid in GRIDS:
                key = {"solver": label, "grid": grid, "nfe": nfe}
                results.once(key, partial(one, make, nfe, grid))


def at(results: harness.Results, nfe: int) -> dict[tuple[str, str], float]:
    """RMSE by (solver, grid) at one NFE; infinite where a solve diverged."""
    return {
        (row["solver"], row["grid"]): row["rmse"] if row["rmse"] < np.inf else np.inf
        for row in results.rows
        if row["nfe"] == nfe and "rmse" in row
    }


def pick(found: list[dict]) -> tuple[tuple[str, str], float]:
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


def write_page(config: Config) -> None:
    stored = {name: config.results(name) for name in NAMES}
    stored = {name: results for name, results in stored.items() if results.rows}
    lines = []
    for name, results in stored.items():
        rows = []
        for nfe in config.nfe:
            found = at(results, nfe)
            order = sorted(found, key=lambda key: (round(found[key], 6), key))[:4]
            cells = [f"{s}, {g} ({found[s, g]:.3g})" for s, g in order]
            rows.append((str(nfe), cells))
        columns = ("best", "second", "third", "fourth")
        lines += [*harness.table(f"{name}: NFE", columns, rows), ""]
    lines += [
        f"RMSE in brackets. {config.samples} test noises, seed "
        f"{config.setup.seed + 1000}; {len(candidates())} solvers on up to "
        f"{len(GRIDS)} grids. {harness.machine()}."
    ]
    harness.write_block(HERE / "README.md", "training_free", lines)
    if len(stored) == len(NAMES):
        root = HERE.parent.parent / "README.md"
        harness.write_block(root, "choose", advice(config, stored))


def advice(config: Config, stored: dict[str, harness.Results]) -> list[str]:
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
        *harness.table("NFE", list(KINDS), body),
        "",
        "In brackets the RMSE on the digits models of the kind (where there are two, "
        "also the larger of the ratios to the best solver of each model). Chosen among "
        f"{len(candidates())} solvers on up to {len(GRIDS)} grids, {config.samples} "
        "noises; the first four of each model are in "
        "[experiments/digits](experiments/digits/README.md), made by "
        "`uv run python -m experiments.digits.training_free`.",
    ]


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

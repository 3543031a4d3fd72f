"""Measures every training-free solver on every grid."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

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
        """What was measured on a model with these settings."""
        return harness.Results(HERE / "results" / f"{name}.json", self.described())


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


def measure_model(config: Config, name: str) -> None:
    model = models.load(name)
    results = config.results(name)
    setup, seed = config.setup, config.setup.seed + 1000
    paths = harness.solved(setup, model, setup.test, f"{name}-test", seed=seed)
    paths = bj.paths.take(paths, slice(0, config.samples))

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

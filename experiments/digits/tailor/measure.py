"""Tailors a solver to each digits model at each NFE."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

HERE = Path(__file__).parent


NAMES = ("fm_ot", "fm_cs", "eps_vp")


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    nfe: tuple[int, ...] = (4, 5, 6, 8, 10, 16)
    fitting: int = 192  # the first of the training paths
    seconds: float | None = None  # for each fit
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        return {"nfe": self.nfe, "fitting": self.fitting, **self.setup.described()}

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        return harness.Results(HERE / "results" / f"{name}.json", self.described())


def stored(name: str, nfe: int) -> bj.Solver:
    """The committed tailored solver of a model at one NFE."""
    return harness.as_solver(Config().results(name).get(nfe=nfe)["solver"])


def measure_model(config: Config, name: str) -> None:
    model, setup = models.load(name), config.setup
    results = config.results(name)
    truth = harness.truth(setup, model)
    few = bj.paths.take(truth.training, slice(0, config.fitting))
    below: dict[int, bj.Solver] = {}

    def one(nfe: int) -> dict[str, Any]:
        starts = [below[nfe - 1]] if nfe - 1 in below else []
        paths = truth._replace(training=few)
        options = {"starts": starts, "seconds": config.seconds}
        found = harness.tailored(setup, model, paths, nfe, **options)
        return {
            **harness.errors(model.field, found.solver, truth.test),
            "validation": float(found.history.rmse[-1]),
            "validation_start": float(found.history.rmse[0]),
            "start": found.start,
            "steps": len(found.history.rmse) - 1,
            "limit": config.seconds,
            "fit_seconds": float(found.history.seconds[-1]),
            "evaluations": float(found.history.evaluations[-1]),
            "truth_evaluations": truth.evaluations,
            "solver": harness.as_lists(found.solver),
        }

    for nfe in config.nfe:
        row = results.once({"nfe": nfe}, partial(one, nfe))
        below[nfe] = harness.as_solver(row["solver"])

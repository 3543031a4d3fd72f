"""Fits RK1-, RK2- and RK4-Bespoke and measures them beside their bases."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models
from experiments.digits.solvers import adaptive

HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")
# Where the second long fit starts: the base solver on this path.
OTHER_PATH = {
    "fm_ot": bj.schedules.Cosine(),
    "fm_cs": bj.schedules.CondOT(),
    "eps_vp": bj.schedules.CondOT(),
}
STAGES = {"euler": 1, "midpoint": 2, "rk4": 4}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: tuple[int, ...] = (4, 6, 8, 10, 16, 20, 24)
    setup: harness.Setup = harness.Setup()

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        settings = {"nfe": self.nfe, **self.setup.described()}
        return harness.Results(HERE / "results" / f"{name}.json", settings)


def wanted(config: Config) -> list[tuple[str, str, int]]:
    """(kind, base, NFE) of every solver."""
    tasks = []
    for nfe in config.nfe:
        for base, stages in STAGES.items():
            if nfe % stages == 0:
                tasks += [(kind, base, nfe) for kind in ("generic", "bespoke")]
        tasks.append(("bound", "midpoint", nfe))
    return [*tasks, ("limit", "midpoint", config.nfe[0])]


def fit(
    setup: harness.Setup,
    model: bj.Model,
    truth: harness.Truth,
    kind: str,
    base: str,
    nfe: int,
) -> bj.Fitted:
    """One fit; of kind "limit", the better of two starts at ten times the effort."""
    family = bj.families.scale_time(nfe // STAGES[base], base=base, end=model.end)
    made = partial(harness.fitted, setup, model.field, truth, family)
    task = f"{model.name}-{kind}-{base}-{nfe}"
    if kind != "limit":
        loss = bj.losses.rmse_bound if kind == "bound" else harness.DIRECT
        return made(task, loss=loss)
    path = OTHER_PATH[model.name]
    other = bj.families.from_schedules(family, model.schedule, path)
    tries = [made(task, effort=10.0)]
    tries.append(made(f"{task}-changed", start=other, effort=10.0))
    return min(tries, key=lambda fitted: fitted.validation_rmse)


def measure_model(config: Config, name: str) -> None:
    model, results = models.load(name), config.results(name)
    truth = harness.truth(config.setup, model)

    def one(kind: str, base: str, nfe: int) -> harness.Row:
        if kind == "generic":
            solver = bj.solvers.construct(base, nfe, end=model.end)
            return harness.errors(model.field, solver, truth.test)
        fitted = fit(config.setup, model, truth, kind, base, nfe)
        return {
            **harness.errors(model.field, fitted.solver, truth.test),
            "validation_start": fitted.start_validation_rmse,
            "validation": fitted.validation_rmse,
            "evaluations": float(harness.spent(fitted)[-1]),
            "truth_evaluations": truth.evaluations,
            "training_evaluations": model.training_evaluations,
            "endpoint": float(truth.test.certificate.endpoint),
        }

    for kind, base, nfe in wanted(config):
        key = {"kind": kind, "base": base, "nfe": nfe}
        results.once(key, partial(one, kind, base, nfe))
    first = bj.paths.take(truth.test, slice(0, 256))
    points = lambda: {"points": adaptive.work_precision(model, first)}
    results.once({"kind": "adaptive"}, points)

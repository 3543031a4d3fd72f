"""Fits one curve at several numbers of steps and measures it at all of them."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models
from experiments.digits.solvers import measure as bespoke

HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = ("fm_ot",)
    degree: int = 6
    fitted: tuple[int, ...] = (4, 6, 8, 12)  # steps
    steps: tuple[int, ...] = tuple(range(3, 21))
    native: tuple[int, ...] = (5, 7, 10)  # steps of RK2-Bespoke
    # Few numbers: larger and fewer steps of Adam than those of the set-up.
    learning: float = 3.0
    effort: float = 0.6
    setup: harness.Setup = harness.Setup()

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        own = {k: getattr(self, k) for k in ("degree", "fitted", "learning", "effort")}
        settings = {**own, **self.setup.described()}
        return harness.Results(HERE / "results" / f"{name}.json", settings)


def fit(config: Config, model: bj.Model, truth: harness.Truth) -> bj.FittedJoint:
    """The curve, fitted to the direct loss at all of `config.fitted`."""
    curve = bj.families.curve(config.degree, end=model.end)
    steps = "-".join(map(str, config.fitted))
    return harness.fitted(
        config.setup,
        model.field,
        truth,
        curve.over(config.fitted),
        f"{model.name}-curve-{config.degree}-{steps}",
        learning=config.learning,
        effort=config.effort,
    )


def measure_model(config: Config, name: str) -> None:
    model, results = models.load(name), config.results(name)
    truth = harness.truth(config.setup, model)
    judged = lambda solver: harness.errors(model.field, solver, truth.test)

    def curve() -> harness.Row:
        fitted = fit(config, model, truth)
        return {
            "theta": {k: np.asarray(v).tolist() for k, v in fitted.theta.items()},
            "validation_start": fitted.start_validation_rmse,
            "validation": fitted.validation_rmse,
            "evaluations": float(harness.spent(fitted)[-1]),
            "endpoint": float(truth.test.certificate.endpoint),
        }

    def native(n: int) -> harness.Row:
        """RK2-Bespoke of the study `solvers`, fitted here where it has not that NFE."""
        stored = bespoke.Config(setup=config.setup).results(name)
        try:
            row = stored.get(kind="bespoke", base="midpoint", nfe=2 * n)
            return {k: row[k] for k in ("rmse", "median", "evaluations")}
        except KeyError:
            made = bespoke.fit(config.setup, model, truth, "bespoke", "midpoint", 2 * n)
            spent = float(harness.spent(made)[-1])
            return {**judged(made.solver), "evaluations": spent}

    theta = results.once({"kind": "fit"}, curve)["theta"]
    theta = {k: np.asarray(v) for k, v in theta.items()}
    family = bj.families.curve(config.degree, end=model.end)
    base = lambda n: bj.solvers.midpoint(steps=n, end=model.end)
    for n in sorted(config.steps, key=lambda n: n not in config.native):
        results.once(
            {"kind": "curve", "steps": n},
            lambda n=n: judged(family.at(n).build(theta)),
        )
        results.once({"kind": "base", "steps": n}, lambda n=n: judged(base(n)))
    for n in config.native:
        results.once({"kind": "native", "steps": n}, partial(native, n))

"""Fits of time alone, of scale alone and of both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

HERE = Path(__file__).parent


MODELS = ("fm_ot", "fm_cs", "eps_vp")


BASE = "none"  # nothing learned: midpoint itself


LABELS = {
    BASE: "RK2 (midpoint)",
    "time": "time only",
    "scale": "scale only",
    "both": "time and scale",
}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: tuple[int, ...] = (4, 8, 16)  # the largest is drawn
    setup: harness.Setup = harness.Setup()

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        settings = {"nfe": self.nfe, **self.setup.described()}
        return harness.Results(HERE / "results" / f"{name}.json", settings)


def gauge_fixed(family: bj.Family, solver: bj.Solver) -> tuple[Any, dict[str, Any]]:
    """(theta, values at the nodes) of a solver of a midpoint family.

    s at an inner node may be anything without a change of the solver; the way back
    from the solver makes it sqrt(s_i s_{i+1}), so that fits can be compared.
    """
    theta = family.init(solver)
    return theta, jax.jit(family.values)(theta)


def curve(values: Any, scale: float = 1.0) -> list[float]:
    """Numbers for a JSON file, to about the digits that they have."""
    return [float(f"{v:.6g}") for v in np.asarray(values, np.float64) / scale]


def measure_model(config: Config, name: str) -> None:
    model = models.load(name)
    results = config.results(name)
    truth = harness.truth(config.setup, model)

    def one(learn: str, nfe: int) -> dict[str, Any]:
        if learn == BASE:
            solver = bj.solvers.construct("midpoint", nfe, end=model.end)
            return {
                **harness.errors(model.field, solver, truth.test),
                "parameters": 0,
            }
        family = bj.families.scale_time(nfe // 2, learn=learn, end=model.end)
        kind = "bespoke" if learn == "both" else learn
        fitted = harness.fitted(
            config.setup,
            model.field,
            truth,
            family,
            f"{name}-{kind}-midpoint-{nfe}",
            loss=harness.DIRECT,
        )
        if learn == "both":
            _, values = gauge_fixed(family, fitted.solver)
        else:  # what is fixed leaves no choice
            values = jax.jit(family.values)(fitted.theta)
        return {
            **harness.errors(model.field, fitted.solver, truth.test),
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(fitted.theta)),
            "validation": fitted.validation_rmse,
            "r": curve(values["r"]),
            "t": curve(values["t"], model.end),
            "s": curve(values["s"]),
        }

    for nfe in config.nfe:
        for learn in LABELS:
            key = {"learn": learn, "nfe": nfe}
            results.once(key, lambda task=(learn, nfe): one(*task))

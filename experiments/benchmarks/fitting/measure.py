"""Fits every family with every loss on one digits model, and `tailor`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import timing
from experiments.digits import models

HERE = Path(__file__).parent
# Keeping activations: this network is small, and recomputing them costs time.
DIRECT = {
    "RMSE": harness.DIRECT,
    "MSE": partial(bj.losses.mse, checkpoint=False),
    "PSNR": partial(bj.losses.psnr, checkpoint=False),
}
STEP_PARALLEL = {"RMSE bound": bj.losses.rmse_bound, "LTE": bj.losses.lte}
LOSSES = {**STEP_PARALLEL, **DIRECT}


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    nfe: int = 8  # a multiple of 4, for RK4
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        own = {"model": self.model, "nfe": self.nfe}
        return {**own, **self.setup.described()}

    def results(self) -> harness.Results:
        """What was measured with these settings."""
        return harness.Results(HERE / "results.json", self.described())


class Subject(NamedTuple):
    """What is fitted, from where, and the losses that it has."""

    family: bj.families.Family
    start: bj.Solver | None
    losses: dict[str, Callable]


@lru_cache  # a timesteps family is told apart by its constructor's identity
def subjects(model_name: str, nfe: int) -> dict[str, Subject]:
    model = models.load(model_name)
    end, schedule = model.end, model.schedule
    found = {}
    for label, base, stages in (
        ("RK1-Bespoke", "euler", 1),
        ("RK2-Bespoke", "midpoint", 2),
        ("RK4-Bespoke", "rk4", 4),
    ):
        family = bj.families.scale_time(nfe // stages, base=base, end=end)
        found[label] = Subject(family, None, LOSSES)
    dense = bj.families.nonstationary(nfe, schedule=schedule, end=end)
    multistep = lambda grid: bj.solvers.adams_bashforth(nfe=nfe, grid=grid, end=end)
    grid = np.linspace(0.0, end, nfe + 1)
    times = bj.families.timesteps(multistep, grid, name=f"times(AB2, {nfe} NFE)")
    return {
        **found,
        "non-stationary, from Euler": Subject(dense, None, DIRECT),
        "non-stationary, from AB2": Subject(dense, multistep(grid), DIRECT),
        "time steps of AB2": Subject(times, None, DIRECT),
    }


def slug(*words: Any) -> str:
    """A name for a folder."""
    return "-".join(map(str, words)).lower().replace(" ", "-").replace(",", "")


def fit(config: Config, truth: harness.Truth, label: str, loss: str) -> dict[str, Any]:
    """Errors on the test noises, and the curve of the best iterate so far."""
    model, setup = models.load(config.model), config.setup
    family, start, losses = subjects(config.model, config.nfe)[label]
    fitted = harness.fitted(
        setup,
        model.field,
        truth,
        family,
        slug("curve", config.model, label, loss, config.nfe),
        loss=losses[loss],
        start=start,
    )
    history = fitted.history
    start = truth.validation.size * config.nfe
    numbers = sum(np.size(leaf) for leaf in jax.tree.leaves(fitted.theta))
    return {
        **harness.errors(model.field, fitted.solver, truth.test),
        "numbers": numbers,
        "curve": curve(history, harness.spent(fitted) + start),
    }


def tailor(config: Config, truth: harness.Truth) -> dict[str, Any]:
    model, setup = models.load(config.model), config.setup
    name = slug("curve", config.model, "tailor", config.nfe)
    directory = setup.runs / "fits" / name
    found = harness.tailored(setup, model, truth, config.nfe, directory=directory)
    history = found.history
    return {
        **harness.errors(model.field, found.solver, truth.test),
        "start": found.start,
        "curve": curve(history, history.evaluations - truth.evaluations),
    }


def curve(history: Any, evaluations: np.ndarray) -> dict[str, list[float]]:
    return {
        "evaluations": np.asarray(evaluations, float).tolist(),
        "seconds": np.asarray(history.seconds, float).tolist(),
        "rmse": np.fmin.accumulate(history.rmse).tolist(),
    }


def measure(config: Config) -> None:
    with timing.without_cache():
        measure_all(config, config.results())


def measure_all(config: Config, results: harness.Results) -> None:
    model = models.load(config.model)
    truth = harness.truth(config.setup, model)
    cost = lambda: {
        "evaluations": truth.evaluations,
        "solve_seconds": truth.training.stats.seconds,
        "paths": truth.training.size + truth.validation.size,
    }
    results.once({"kind": "truth"}, cost)
    for label, subject in subjects(config.model, config.nfe).items():
        build = subject.family.init
        theta = build() if subject.start is None else build(subject.start)
        start = subject.family.build(theta)
        results.once(
            {"kind": "start", "family": label},
            partial(harness.errors, model.field, start, truth.test),
        )
        for loss in subject.losses:
            key = {"kind": "fit", "family": label, "loss": loss}
            results.once(key, partial(fit, config, truth, label, loss))
    results.once({"kind": "tailor"}, partial(tailor, config, truth))

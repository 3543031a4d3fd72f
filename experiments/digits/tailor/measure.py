"""Tailors solvers to each digits model: quickly, well, and at every NFE in one call."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

HERE = Path(__file__).parent


NAMES = ("fm_ot", "fm_cs", "eps_vp")


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    nfe: tuple[int, ...] = (4, 5, 6, 8, 10, 16)
    fitting: int = 320  # the first of the training paths
    choosing: int = 112  # the first of the validation paths
    few: int = 32  # noises of "seconds", whose ground truth it solves for itself
    all_of: str = "fm_ot"  # the model that gets every NFE in one call
    first: int = 3
    last: int = 20
    evaluations: int = 150_000  # of that call, beyond the ground truth
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        own = {k: v for k, v in vars(self).items() if k not in ("models", "setup")}
        return {**own, **self.setup.described()}

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        return harness.Results(HERE / "results" / f"{name}.json", self.described())


def stored(name: str, nfe: int) -> bj.Solver:
    """The committed tailored solver of a model at one NFE."""
    row = Config().results(name).get(kind="best", nfe=nfe)
    return harness.as_solver(row["solver"])


def measure_model(config: Config, name: str) -> None:
    model = models.load(name)
    results, truth = config.results(name), harness.truth(config.setup, model)
    few = bj.paths.take(truth.training, slice(0, config.few))
    kinds: dict[str, Callable[[int], dict[str, Any]]] = {
        "best": partial(best, config, model, truth),
        "seconds": partial(seconds, config, model, truth),
        "olss": partial(olss, model, truth, few),
    }
    for kind, run in kinds.items():
        for nfe in config.nfe:
            results.once({"kind": kind, "nfe": nfe}, partial(run, nfe))
    if name == config.all_of:
        results.once({"kind": "set"}, lambda: whole(config, model, truth))


def best(
    config: Config, model: bj.Model, truth: harness.Truth, nfe: int
) -> dict[str, Any]:
    """The most accurate solver of one budget."""
    found = fitted(config, model, truth, nfe)
    return row(model, truth, found) | {"truth": truth.training.stats.evaluations}


def fitted(
    config: Config, model: bj.Model, truth: harness.Truth, nfe: Any, **options: Any
) -> Any:
    """What `tailor` finds on the shared ground truth; its own test paths are few."""
    cut = lambda paths, a, b: bj.paths.take(paths, slice(a, b))
    free = lambda paths: paths._replace(stats=None)  # what it cost is told apart
    return bj.tailor(
        model.field,
        free(cut(truth.training, 0, config.fitting)),
        nfe=nfe,
        validation=cut(truth.validation, 0, config.choosing),
        test=cut(truth.validation, config.choosing, config.choosing + 16),
        key=jax.random.key(config.setup.seed + 1),
        schedule=model.schedule,
        end=model.end,
        **options,
    )


def seconds(
    config: Config, model: bj.Model, truth: harness.Truth, nfe: int
) -> dict[str, Any]:
    """Regression alone, from a few noises, ground truth included."""
    exact = truth.training
    found = bj.tailor(
        model.field,
        exact.x0[: config.few],
        nfe=nfe,
        effort="seconds",
        key=jax.random.key(config.setup.seed + 1),
        schedule=model.schedule,
        end=model.end,
    )
    paths = found.paths
    off = bj.metrics.errors(paths.x1, exact.x1[: paths.size])
    return {
        **row(model, truth, found),
        "evaluations": found.evaluations - paths.stats.evaluations,
        "truth": paths.stats.evaluations / paths.size,
        "truth_error": float(np.mean(np.asarray(off))),
    }


def olss(
    model: bj.Model, truth: harness.Truth, few: bj.Paths, nfe: int
) -> dict[str, Any]:
    """The baseline, on as many paths as "seconds" has.

    With data predictions: on these models its rows of noise predictions diverge on
    eps_vp, and cannot be made where alpha = 0 at the start.
    """
    solver = bj.olss(
        model.field, few, nfe=nfe, schedule=model.schedule, prediction="data",
        ridge=1e-8,
    )  # fmt: skip
    return harness.errors(model.field, solver, truth.test)


def whole(config: Config, model: bj.Model, truth: harness.Truth) -> dict[str, Any]:
    """Every NFE in one call."""
    budgets = range(config.first, config.last + 1)
    found = fitted(config, model, truth, budgets, evaluations=config.evaluations)
    return {
        "evaluations": found.evaluations,
        "fit_seconds": found.seconds,
        "members": {str(each.solver.nfe): row(model, truth, each) for each in found},
    }


def row(model: bj.Model, truth: harness.Truth, found: bj.Tailored) -> dict[str, Any]:
    """Errors on the test noises, and how the solver was found."""
    return {
        **harness.errors(model.field, found.at(), truth.test),
        "start": found.start,
        "steps": len(found.history.rmse) - 1,
        "fit_seconds": float(found.history.seconds[-1]),
        "evaluations": found.evaluations,
        "solver": harness.as_lists(found.at()),
    }

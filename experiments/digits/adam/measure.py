"""Runs `tailor` and long fits by Adam on the same paths."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import optax

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    nfe: int = 4
    iterations: int = 15_000
    batch_size: int = 40
    trial: int = 500
    rates: tuple[float, ...] = (5e-4, 2e-3, 1e-2)
    setup: harness.Setup = harness.Setup()

    def results(self) -> harness.Results:
        """What was measured with these settings."""
        own = {k: v for k, v in vars(self).items() if k != "setup"}
        settings = {**own, **self.setup.described()}
        return harness.Results(HERE / "results.json", settings)


def measure(config: Config) -> None:
    results = config.results()
    model, setup = models.load(config.model), config.setup
    truth = harness.truth(setup, model)
    key = jax.random.key(setup.seed + 1)
    family = bj.families.nonstationary(
        config.nfe, schedule=model.schedule, end=model.end
    )

    def judged(solver: bj.Solver, history: Any) -> dict[str, Any]:
        return {
            **harness.errors(model.field, solver, truth.test),
            "curve": [history.evaluations.tolist(), history.rmse.tolist()],
            "truth_evaluations": truth.evaluations,
        }

    def tailor() -> dict[str, Any]:
        found = harness.tailored(setup, model, truth, config.nfe)
        start = harness.as_lists(family.build(found.starts[0].theta))
        return {**judged(found.solver, found.history), "start": start}

    def adam(rate: float, iterations: int, total: int) -> bj.Fitted:
        name = f"{config.model}-adam-{config.nfe}-{rate:g}-{iterations}"
        return bj.fit(
            family,
            model.field,
            truth.training,
            validation=truth.validation,
            test=truth.test,
            key=key,
            start=harness.as_solver(results.get(kind="tailor")["start"]),
            loss=harness.DIRECT,
            optimizer=optax.adam(optax.cosine_decay_schedule(rate, total)),
            iterations=iterations,
            batch_size=config.batch_size,
            validate_every=50,
            directory=setup.runs / "fits" / name,
        )

    def trial(rate: float) -> dict[str, Any]:
        return {"validation": adam(rate, config.trial, config.trial).validation_rmse}

    def long(rate: float) -> dict[str, Any]:
        fitted = adam(rate, config.iterations, config.iterations)
        history = fitted.history
        cost = truth.evaluations + harness.spent(fitted)
        return judged(fitted.solver, history._replace(evaluations=cost))

    results.once({"kind": "tailor"}, tailor)
    tried = {
        rate: results.once({"kind": "trial", "rate": rate}, partial(trial, rate))
        for rate in config.rates
    }
    best = min(tried, key=lambda rate: tried[rate]["validation"])
    results.once({"kind": "adam", "rate": best}, partial(long, best))

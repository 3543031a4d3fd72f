"""Fits the scale-time family at more and more steps."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax

import bespoke_jax as bj
from experiments import harness
from experiments.ablations.time_scale.measure import curve, gauge_fixed
from experiments.digits import models

HERE = Path(__file__).parent


MODELS = ("fm_ot", "fm_cs", "eps_vp")


LOSSES = {
    "bound": ("RMSE bound", bj.losses.rmse_bound),
    "bespoke": ("direct RMSE", harness.DIRECT),
}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    n: tuple[int, ...] = (2, 3, 4, 5, 8, 10, 12, 16, 20)  # steps, of the bound
    direct: tuple[int, ...] = (2, 3, 4, 5, 8, 10, 12)
    repeat: int = 4  # steps of a second fit of the bound, with other batches
    setup: harness.Setup = harness.Setup()

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        own = ("n", "direct", "repeat")
        settings = {k: getattr(self, k) for k in own} | self.setup.described()
        return harness.Results(HERE / "results" / f"{name}.json", settings)

    def steps(self, loss: str) -> tuple[int, ...]:
        """The n of the fits of a loss."""
        return self.n if loss == "bound" else self.direct

    def tasks(self) -> list[tuple[str, int, int]]:
        """(loss, n, batches) of every fit."""
        tasks = [(loss, n, 0) for loss in LOSSES for n in self.steps(loss)]
        return [*tasks, ("bound", self.repeat, 1)]


def measure_model(config: Config, name: str) -> None:
    model = models.load(name)
    results = config.results(name)
    truth = harness.truth(config.setup, model)

    def one(loss: str, n: int, batches: int) -> dict[str, Any]:
        family = bj.families.scale_time(n, end=model.end)
        # The paths are given: of the set-up's seed, only the batches depend on it.
        setup = replace(config.setup, seed=config.setup.seed + batches)
        suffix = f"-batches{batches}" if batches else ""
        fitted = harness.fitted(
            setup,
            model.field,
            truth,
            family,
            f"{name}-{loss}-midpoint-{2 * n}{suffix}",
            loss=LOSSES[loss][1],
        )
        theta, values = gauge_fixed(family, fitted.solver)
        step = jax.jit(family.effective)(theta)
        return {
            "validation": fitted.validation_rmse,
            "validation_start": fitted.start_validation_rmse,
            "r": curve(values["r"]),
            "t": curve(values["t"], model.end),
            "s": curve(values["s"]),
            "drift": curve(n * (step["C"] + step["D"] * step["P"] - 1)),
        }

    for loss, n, batches in config.tasks():
        key = {"loss": loss, "n": n, "batches": batches}
        results.once(key, lambda task=(loss, n, batches): one(*task))

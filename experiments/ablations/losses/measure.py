"""Fits that differ in nothing but the loss, by RMSE and Frechet distance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

import bespoke_jax as bj
from experiments import harness
from experiments.digits import classifier, models

HERE = Path(__file__).parent


MODELS = ("fm_ot", "fm_cs", "eps_vp")


# Prefixes of the fits' names: those of experiments.digits.solvers where they exist.
LOSSES = {
    "bespoke": ("direct RMSE", harness.DIRECT),
    "bound": ("RMSE bound", bj.losses.rmse_bound),
    "lte": ("LTE", bj.losses.lte),
}
LABELS = {"midpoint": "RK2 (midpoint)", **{k: v for k, (v, _) in LOSSES.items()}}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: tuple[int, ...] = (4, 8, 10, 20)
    samples: int = 4096  # for Frechet distances
    setup: harness.Setup = harness.Setup()

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        own = {"nfe": self.nfe, "samples": self.samples}
        settings = {**own, **self.setup.described()}
        return harness.Results(HERE / "results" / f"{name}.json", settings)


def distances(images: jax.Array) -> dict[str, float]:
    """Frechet distance of all samples and of each half of them."""
    half = len(images) // 2
    return {
        "frechet": classifier.frechet(images),
        "frechet_first": classifier.frechet(images[:half]),
        "frechet_last": classifier.frechet(images[half:]),
    }


def measure_model(config: Config, name: str) -> None:
    model, setup = models.load(name), config.setup
    results = config.results(name)
    truth = harness.truth(setup, model)
    many = harness.solved(setup, model, config.samples, f"{name}-frechet", seed=2000)
    results.once({"solver": "exact"}, lambda: distances(many.x1))
    measured = bj.losses.lipschitz(model.field, truth.validation, key=jax.random.key(7))

    def one(solver: str, nfe: int) -> dict[str, Any]:
        family = bj.families.scale_time(nfe // 2, end=model.end)
        row: dict[str, Any] = {}
        if solver == "midpoint":
            theta = family.init()
        else:
            fit_name = f"{name}-{solver}-midpoint-{nfe}"
            fitted = harness.fitted(
                setup, model.field, truth, family, fit_name, loss=LOSSES[solver][1]
            )
            theta, row = fitted.theta, {"validation": fitted.validation_rmse}
        tight = jax.jit(bj.losses.tightness, static_argnums=0)(
            family, theta, model.field, truth.validation, measured=measured
        )
        built = family.build(theta)
        return {
            **row,
            **harness.errors(model.field, built, truth.test),
            **distances(harness.sampled(model.field, built, many.x0)),
            "tightness": {k: float(v) for k, v in tight._asdict().items()},
        }

    for nfe in config.nfe:
        for solver in LABELS:
            key = {"solver": solver, "nfe": nfe}
            results.once(key, lambda task=(solver, nfe): one(*task))

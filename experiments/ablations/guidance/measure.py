"""Runs solvers fitted at one guidance weight at the others."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.digits import classifier, models

HERE = Path(__file__).parent


NAME = "fm_ot_class"


BASES = {"midpoint": "RK2 (midpoint)", "euler": "RK1 (euler)"}


SHEETS = ("exact", "fitted", "midpoint")


@dataclass(frozen=True)
class Config:
    weights: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0)
    shown: tuple[float, ...] = (0.0, 1.0, 4.0)  # weights whose samples are drawn
    nfe: int = 8  # evaluations of the guided field
    setup: harness.Setup = harness.Setup(training=128, validation=64, test=256)

    def results(self) -> harness.Results:
        """What was measured with these settings."""
        own = {"nfe": self.nfe, "weights": self.weights, "shown": self.shown}
        return harness.Results(HERE / "results.json", {**own, **self.setup.described()})


def guided(model: bj.Model, w: float) -> Any:
    """The field at weight w; the weight is a leaf, so no weight compiles anew."""
    null = jnp.int32(models.CLASSES)
    return bj.fields.guide(model.field, weight=w, null=null)


def measure(config: Config) -> None:
    model, results = models.load(NAME), config.results()

    @lru_cache
    def truth(w: float) -> harness.Truth:
        name = f"{NAME}-guided{w:g}"
        return harness.truth(config.setup, model, name=name, field=guided(model, w))

    @lru_cache
    def solver(by: str | float) -> bj.Solver:
        """A base by its name, a fit by the weight that it was made at."""
        if isinstance(by, str):
            return bj.solvers.construct(by, config.nfe, end=model.end)
        family = bj.families.scale_time(config.nfe // 2, end=model.end)
        name = f"{NAME}-guided{by:g}-bespoke-midpoint-{config.nfe}"
        field = guided(model, by)
        return harness.fitted(config.setup, field, truth(by), family, name).solver

    def one(by: str | float, w: float) -> dict[str, Any]:
        test = truth(w).test
        rmse = harness.errors(guided(model, w), solver(by), test)
        return {**rmse, "endpoint": float(test.certificate.endpoint)}

    def asked(w: float) -> dict[str, float]:
        """Share of samples that the classifier takes for the class asked for."""
        test = truth(w).test
        fitted = harness.sampled(guided(model, w), solver(w), test.x0, test.c)
        right = lambda x: float(np.mean(classifier.classes(x) == np.asarray(test.c)))
        return {"exact": right(test.x1), "fitted": right(fitted)}

    def sheets(w: float) -> dict[str, list[str]]:
        """One sample of each class, at every weight from the same noise."""
        first = [int(np.argmax(truth(w).test.c == k)) for k in range(models.CLASSES)]
        test = bj.paths.take(truth(w).test, np.array(first))
        field = guided(model, w)
        sample = lambda by: harness.sampled(field, solver(by), test.x0, test.c)
        images = (test.x1, sample(w), sample("midpoint"))
        sheets = zip(SHEETS, images, strict=True)
        return {kind: [harness.as_shades(each) for each in x] for kind, x in sheets}

    for w in config.weights:
        for by in (*config.weights, *BASES):
            results.once({"by": by, "w": w}, lambda task=(by, w): one(*task))
        results.once({"asked": w}, lambda w=w: asked(w))
    for w in config.shown:
        results.once({"shown": w}, lambda w=w: sheets(w))

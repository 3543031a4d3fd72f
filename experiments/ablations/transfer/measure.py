"""Runs solvers fitted on one digits model on another."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

HERE = Path(__file__).parent


STAGES = 2  # of midpoint


class Pair(NamedTuple):
    """Whose solver is used on which model."""

    source: str
    target: str
    change: bool  # whether the schedules differ


PAIRS = {
    f"{pair.source}-{pair.target}": pair
    for pair in (
        Pair("fm_ot", "fm_cs", change=True),
        Pair("fm_cs", "fm_ot", change=True),
        Pair("fm_ot", "fm_ot_16", change=False),
    )
}


@dataclass(frozen=True)
class Config:
    pairs: tuple[str, ...] = tuple(PAIRS)
    nfe: tuple[int, ...] = (4, 8, 16, 20)
    nfe_16: tuple[int, ...] = (4, 8, 16)  # between resolutions: costs twice as much
    setup: harness.Setup = harness.Setup()

    def nfe_of(self, name: str) -> tuple[int, ...]:
        """The NFE at which a pair is measured."""
        return self.nfe if PAIRS[name].change else self.nfe_16

    def results(self, name: str) -> harness.Results:
        """What was measured for a pair with these settings."""
        settings = {"nfe": self.nfe_of(name), **self.setup.described()}
        return harness.Results(HERE / "results" / f"{name}.json", settings)


@lru_cache
def loaded(setup: harness.Setup, name: str) -> tuple[bj.Model, harness.Truth]:
    model = models.load(name)
    return model, harness.truth(setup, model)


def fitted(setup: harness.Setup, name: str, nfe: int) -> bj.Solver:
    """The solver of a model: of the same name and settings as in `digits.solvers`."""
    model, truth = loaded(setup, name)
    family = bj.families.scale_time(nfe // STAGES, base="midpoint", end=model.end)
    fit_name = f"{name}-bespoke-midpoint-{nfe}"
    return harness.fitted(setup, model.field, truth, family, fit_name).solver


def measure(config: Config) -> None:
    for name in config.pairs:
        measure_pair(config, name)


def measure_pair(config: Config, name: str) -> None:
    results, (source, target, change) = config.results(name), PAIRS[name]
    model, truth = loaded(config.setup, target)
    fields = {"": model.field}
    if change:
        # Both schedules have sigma_0 = 1 and alpha_1 = 1, so both ends map exactly:
        # noises and end points of the paths of `model.field` serve for this field too.
        new = models.load(source).schedule
        fields["_changed"] = bj.fields.change_schedule(
            model.field, old=model.schedule, new=new
        )

    def one(kind: str, suffix: str, nfe: int) -> dict[str, Any]:
        if kind == "base":
            solver = bj.solvers.construct("midpoint", nfe, end=model.end)
        else:
            fit_on = target if kind == "native" else source
            solver = fitted(config.setup, fit_on, nfe)
        return {
            **harness.errors(fields[suffix], solver, truth.test),
            "endpoint": float(truth.test.certificate.endpoint),
        }

    tasks = [("native", "")] + [(k, s) for k in ("transferred", "base") for s in fields]
    for nfe in config.nfe_of(name):
        for kind, suffix in tasks:
            key = {"kind": kind + suffix, "nfe": nfe}
            results.once(key, lambda task=(kind, suffix, nfe): one(*task))

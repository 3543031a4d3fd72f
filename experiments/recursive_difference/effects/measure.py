"""Measures SciRE against the k of the grid, the end time and a biased network."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax

import bespoke_jax as bj
from experiments import harness
from experiments.recursive_difference import subjects
from experiments.recursive_difference.generation import measure as generation

HERE = Path(__file__).parent


NAMES = ("mixture", "eps_vp", "edm")


RULES = (
    "scire_v1_2 rd",
    "scire_v1_2 fd",
    "scire_v1_2m rd",
    "scire_v1_2m fd",
    "dpm_solver_pp_2m",
    "ddim",
)


K = (0.0, 1.0, 2.0, 3.1, 5.0, 7.0, 15.0)


ENDS = (1e-3, 1e-4)


FACTORS = (0.99, 1.0, 1.01)


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    k_nfe: int = 10
    nfe: tuple[int, ...] = (10, 20, 50)
    samples: int = 512
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        own = {"k_nfe": self.k_nfe, "nfe": self.nfe, "samples": self.samples}
        return {**own, **self.setup.described()}

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        return harness.Results(HERE / "results" / f"{name}.json", self.described())


@dataclass(frozen=True)
class Subject:
    """A model, the noises, its exact samples, and where results go."""

    config: Config
    results: harness.Results
    model: bj.Model
    x0: jax.Array
    exact: jax.Array

    @property
    def digits(self) -> bool:
        return self.model.name in subjects.DIGITS

    def exact_of(self, tag: str, **changed: Any) -> jax.Array:
        """Exact samples with another end or field, kept under a name of their own."""
        name = f"{self.model.name}-{tag}" if tag else ""
        _, exact = subjects.exact(self.config.setup, self.model, name=name, **changed)
        return exact[: self.config.samples]

    def once(self, key: harness.Row, model: bj.Model, against: Any, grid: Any) -> None:
        """Measure the solver of a key on a model."""

        def row() -> harness.Row:
            solver = generation.build(key["label"], model, key["nfe"], grid)
            assert solver is not None
            samples = harness.sampled(model.field, solver, self.x0)
            return generation.judged(samples, against, digits=self.digits)

        self.results.once(key, row)

    def rules(self, key: harness.Row, model: bj.Model, against: Any) -> None:
        """Measure every rule at every NFE on a model."""
        for label in RULES:
            for nfe in self.config.nfe:
                self.once({**key, "label": label, "nfe": nfe}, model, against, "nsr")


def measure_model(config: Config, name: str) -> None:
    model = subjects.load(name)
    pair = subjects.exact(config.setup, model)
    x0, exact = (x[: config.samples] for x in pair)
    subject = Subject(config, config.results(name), model, x0, exact)
    grids(subject)
    ends(subject)
    biases(subject)


def grids(subject: Subject) -> None:
    """The parameter k of the NSR grid."""
    for label in RULES:
        for k in K:
            key = {"kind": "k", "label": label, "nfe": subject.config.k_nfe, "k": k}
            grid = partial(bj.grids.nsr, k=k)
            subject.once(key, subject.model, subject.exact, grid)


def ends(subject: Subject) -> None:
    """The time at which a sample is taken, each against the exact solution there."""
    model, digits = subject.model, subject.digits
    # EDM ends at sigma_min, and no other end is asked of it.
    for end in ENDS if model.end < 1 else ():
        ended = model._replace(end=1 - end)
        own = ended.end == model.end
        tag = "" if own else f"end-{end:g}"
        there = subject.exact_of(tag, end=None if own else 1 - end)
        key = {"kind": "end", "label": "exact", "nfe": 0, "end": end}
        exact = partial(generation.judged, there, there, digits=digits)
        subject.results.once(key, exact)
        subject.rules({"kind": "end", "end": end}, ended, there)


def biases(subject: Subject) -> None:
    """A network whose noise prediction is off by a factor."""
    model, digits = subject.model, subject.digits
    for factor in FACTORS:
        field = model.field if factor == 1 else subjects.biased(model, factor)
        tag = "" if factor == 1 else f"noise-{factor:g}"
        moved = subject.exact_of(tag, field=field)
        key = {"kind": "bias", "label": "exact", "nfe": 0, "factor": factor}
        exact = partial(generation.judged, moved, subject.exact, digits=digits)
        subject.results.once(key, exact)
        changed = model._replace(field=field)
        subject.rules({"kind": "bias", "factor": factor}, changed, subject.exact)

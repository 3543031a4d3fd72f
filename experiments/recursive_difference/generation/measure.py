"""Samples every SciRE variant, its finite-difference twin and the other solvers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import bespoke_jax as bj
from bespoke_jax import solvers
from experiments import harness
from experiments.digits import classifier, data
from experiments.recursive_difference import subjects

HERE = Path(__file__).parent


NAMES = ("mixture", "eps_vp", "edm")


PHI = ("rd", "rd_inf", "official", "fd")


SINGLE = ("scire_v1_2", "scire_v1_3", "scire_v2_2", "scire_v2_3")


MULTI = ("scire_v1_2m", "scire_v1_3m", "scire_v2_2m", "scire_v2_3m")


BASELINES = (
    "ddim",
    "dpm_solver_2",
    "dpm_solver_3",
    "dpm_solver_pp_2m",
    "dpm_solver_pp_3m",
    "unipc",
    "deis_tab",
    "ipndm",
    "edm_heun",
)


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    nfe: tuple[int, ...] = (5, 6, 8, 10, 12, 15, 20, 36, 50, 100)
    samples: int = 512  # the first of the test noises
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        return {"nfe": self.nfe, "samples": self.samples, **self.setup.described()}

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        return harness.Results(HERE / "results" / f"{name}.json", self.described())


def rules() -> dict[str, Callable[..., bj.Solver]]:
    """Label -> constructor of (schedule, nfe=, grid=, end=); "NAME phi" for SciRE."""
    table = {}
    for name in (*SINGLE, *MULTI, "scirei_2"):
        for phi in PHI:
            table[f"{name} {phi}"] = partial(getattr(solvers, name), phi=phi)
    for name in ("scire_v1_3", "scire_v2_3"):
        table[f"{name} fd, Taylor stage"] = partial(
            getattr(solvers, name), phi="fd", stage="taylor"
        )
    for phi in ("rd", "fd"):
        table[f"scire_v1_2 {phi}, inner node"] = partial(
            solvers.scire_v1_2, phi=phi, r1="inner"
        )
        table[f"scire_v1_3 {phi}, agile"] = partial(
            solvers.scire_v1_3, phi=phi, mode="agile"
        )
        for name in ("scire_v1_2m", "scire_v2_2m"):
            table[f"{name} {phi}, 2023"] = partial(
                getattr(solvers, name), phi=phi, variant="iclr"
            )
    table["scire_v1_2 fd, geometric node"] = partial(
        solvers.scire_v1_2, phi="fd", r1="geometric"
    )
    table |= {name: getattr(solvers, name) for name in BASELINES}
    table["edm_heun, EDM grid"] = solvers.edm_heun
    return table


def build(label: str, model: bj.Model, nfe: int, grid: Any = "nsr") -> bj.Solver | None:
    """The solver, or None where nfe does not pay for a step of it."""
    grid = "edm" if label.endswith("EDM grid") else grid
    stages = solvers.TABLE[label.split()[0].rstrip(",")].stages
    if nfe < stages:
        return None
    return rules()[label](model.schedule, nfe=nfe, grid=grid, end=model.end)


def judged(x: Any, exact: Any, *, digits: bool) -> dict[str, Any]:
    """The figures of a set of samples; nan where a solve left the finite numbers."""
    x, exact = np.asarray(x, np.float64), np.asarray(exact, np.float64)
    if not np.isfinite(x).all():
        return dict.fromkeys(
            ("mse", "rmse", "median", "spread", "frechet"), float("nan")
        )
    each = ((x - exact) ** 2).reshape(len(x), -1).mean(1)
    row = {
        "mse": float(each.mean()),
        "rmse": float(np.sqrt(each).mean()),
        "median": float(np.median(np.sqrt(each))),
        "spread": float(np.sqrt(x.var(0).mean() / exact.var(0).mean())),
    }
    return {**row, "frechet": classifier.frechet(x)} if digits else row


def measure_model(config: Config, name: str) -> None:
    model, results = subjects.load(name), config.results(name)
    digits = name in subjects.DIGITS
    x0, exact = (x[: config.samples] for x in subjects.exact(config.setup, model))

    def one(label: str, nfe: int) -> dict[str, Any]:
        solver = build(label, model, nfe)
        assert solver is not None
        samples = harness.sampled(model.field, solver, x0)
        return {"spent": solver.nfe, **judged(samples, exact, digits=digits)}

    def halves() -> dict[str, Any]:
        row = judged(exact, exact, digits=digits)
        if digits:
            half = len(exact) // 2
            row["halves"] = [classifier.frechet(exact[:half])]
            row["halves"].append(classifier.frechet(exact[half:]))
            images = data.load()
            images = np.concatenate([images.train, images.validation])
            ratio = images.var(0).mean() / np.asarray(exact, np.float64).var(0).mean()
            row["data_spread"] = float(np.sqrt(ratio))
        return row

    results.once({"label": "exact", "nfe": 0}, halves)
    for nfe in config.nfe:
        for label in rules():
            if build(label, model, nfe) is not None:
                results.once({"label": label, "nfe": nfe}, partial(one, label, nfe))

"""Tailors solvers to the mixtures at each NFE."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.mixture import models

HERE = Path(__file__).parent


# Best training-free and best learned peer on one such mixture, by their own programs,
# and what was to be reached.
PEERS = {
    4: (None, 4.2e-3, 2.0e-3),
    5: (4.1e-2, 3.0e-3, 1.1e-3),
    6: (None, 2.6e-3, 5e-4),
    8: (1.1e-2, 3.1e-3, 3e-4),
    10: (5.7e-3, 1.4e-3, 1e-4),
}
JUDGES = ("median", "mean")
OLSS = "OLSS"
_SCORING = 256
"""Test paths that `tailor` scores itself on; the figures are of all of them."""


@dataclass(frozen=True)
class Config:
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    fitting: int = 1024
    test: int = 2048
    tolerance: float = 1e-8
    evaluations: int = 400_000
    """Of a fit, beyond the ground truth."""
    probes: int = 2
    runs: Path = Path("runs")

    def results(self) -> harness.Results:
        """What was measured with these settings."""
        out = ("runs", "seeds")
        settings = {k: v for k, v in vars(self).items() if k not in out}
        return harness.Results(HERE / "results.json", settings)


def truth(config: Config, model: bj.Model, count: int, seed: int) -> bj.Paths:
    x0, _ = bj.model.noise(model, jax.random.key(seed), count)
    return bj.reference.solve(
        model.field,
        x0.astype(jnp.float64),
        end=model.end,
        rtol=config.tolerance,
        atol=config.tolerance,
        directory=config.runs / "truth" / f"{model.name}-{count}-{seed}",
    )


def measure(config: Config) -> None:
    jax.config.update("jax_enable_x64", True)
    for seed in config.seeds:
        measure_mixture(config, seed)


def measure_mixture(config: Config, seed: int) -> None:
    model, results = models.benchmark(seed), config.results()
    training = truth(config, model, config.fitting, 0)
    test = truth(config, model, config.test, 1)
    spent = 0 if training.stats is None else training.stats.evaluations

    def figures(solver: bj.Solver, prefix: str = "") -> dict[str, float]:
        x = harness.sampled(model.field, solver, test.x0)
        errors = np.asarray(bj.metrics.errors(x, test.x1))
        return {
            f"{prefix}median": float(np.median(errors)),
            f"{prefix}mean": float(errors.mean()),
            f"{prefix}flips": float(bj.metrics.flip_rate(x, test.x1)),
        }

    def tailored(judge: str, below: list[bj.Solver], nfe: int) -> dict[str, Any]:
        found = bj.tailor(
            model.field,
            training,
            nfe=nfe,
            key=jax.random.key(seed),
            schedule=model.schedule,
            end=model.end,
            starts=below,
            test=bj.paths.take(test, slice(0, _SCORING)),
            judge=judge,
            probes=config.probes,
            evaluations=spent + config.evaluations,
        )
        family = found.family
        free = next(start for start in found.starts if not start.given)
        return {
            **figures(found.at()),
            **figures(family.build(free.theta), "free_"),
            "free": free.name,
            "start": found.start,
            "steps": len(found.history.rmse) - 1,
            "fit_seconds": float(found.history.seconds[-1]),
            "evaluations": found.evaluations - spent,
            "solver": harness.as_lists(found.at()),
        }

    def olss(nfe: int) -> dict[str, Any]:
        solver = bj.olss(model.field, training, nfe=nfe, schedule=models.PATH)
        return {**figures(solver), "evaluations": nfe * training.size}

    for judge in JUDGES:
        below: list[bj.Solver] = []
        for nfe in PEERS:
            key = {"seed": seed, "nfe": nfe, "by": judge}
            row = results.once(key, partial(tailored, judge, below, nfe))
            below = [*_until(harness.as_solver(row["solver"]), model, nfe)]
    for nfe in PEERS:
        results.once({"seed": seed, "nfe": nfe, "by": OLSS}, partial(olss, nfe))


def _until(solver: bj.Solver, model: bj.Model, nfe: int) -> list[bj.Solver]:
    """The solver with evaluations inserted until it is one short of the next NFE."""
    larger = [n for n in PEERS if n > nfe]
    while larger and solver.nfe < larger[0] - 1:
        t = np.append(np.asarray(solver.t), float(solver.end))
        widest = int(np.argmax(np.diff(t)))
        middle = float((t[widest] + t[widest + 1]) / 2)
        solver = bj.families.insert(solver, middle, schedule=model.schedule)
    return [solver] if larger else []

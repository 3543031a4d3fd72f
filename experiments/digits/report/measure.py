"""Compares tailored and training-free solvers in a report."""

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models
from experiments.digits.report.page import Config
from experiments.digits.tailor import measure as tailor


def measure(config: Config) -> None:
    model, setup = models.load(config.model), config.setup
    solvers: dict[str, list[bj.Solver]] = {
        "tailor": [tailor.stored(config.model, nfe) for nfe in config.nfe]
    }
    for name in config.rivals:
        entry, _, grid = name.partition(":")
        solvers[name] = [
            bj.solvers.construct(
                entry, nfe, schedule=model.schedule, end=model.end, grid=grid or None
            )
            for nfe in (*config.nfe, *config.more)
        ]
    # Other noises than those of fitting, selection and the tables.
    seed = setup.seed + 2000
    name = f"{model.name}-report"
    paths = harness.solved(setup, model, config.noises, name, seed=seed)
    page = bj.report.write(
        config.page,
        model.field,
        bj.metrics.work_precision(model.field, solvers, paths, keep=8),
        paths,
        schedule=model.schedule,
        title=f"{config.model}: solvers compared",
        note=f"Digits, seed {seed}.",
    )
    print(f"Wrote {page}")

"""Samples of one model by generic solvers and by a fitted one."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models
from experiments.digits.tailor import measure as tailor
from experiments.digits.training_free import measure as training_free
from experiments.digits.training_free import page as training_free_page

HERE = Path(__file__).parent
USUAL = "ddim"


@dataclass(frozen=True)
class Config:
    model: str = "eps_vp"
    shown: int = 4  # NFE of the samples
    nfe: tuple[int, ...] = (4, 6, 8, 10)  # of the table
    count: int = 8
    seed: int = 3000
    setup: harness.Setup = harness.Setup()

    def results(self) -> harness.Results:
        """What was measured with these settings."""
        names = ("model", "shown", "count", "seed")
        own = {name: getattr(self, name) for name in names}
        return harness.Results(HERE / "results.json", own)

    def generic(self, nfe: int) -> dict[tuple[str, str], float]:
        """RMSE of every generic solver on every grid at an NFE."""
        found = training_free.Config().results(self.model)
        return training_free_page.at(found, nfe)

    def best(self, nfe: int, solver: str | None = None) -> tuple[str, str]:
        """The solver and grid of the lowest RMSE, of one solver or of all."""
        found = self.generic(nfe)
        pairs = [pair for pair in found if solver in (None, pair[0])]
        return min(pairs, key=lambda pair: (round(found[pair], 6), pair))


def measure(config: Config) -> None:
    model, results = models.load(config.model), config.results()
    name = f"{config.model}-headline"
    paths = harness.solved(config.setup, model, config.count, name, seed=config.seed)

    def exact() -> harness.Row:
        nfe = paths.stats.nfe_mean
        return {"nfe": nfe, "images": harness.as_shades(paths.x1)}

    def sampled(solver: bj.Solver) -> harness.Row:
        x = harness.sampled(model.field, solver, paths.x0)
        return {"nfe": solver.nfe, "images": harness.as_shades(x)}

    def generic(solver: str | None) -> harness.Row:
        label, grid = config.best(config.shown, solver)
        options = {"schedule": model.schedule, "grid": grid, "end": model.end}
        made = training_free.candidates()[label](config.shown, **options)
        return {"solver": label, "grid": grid, **sampled(made)}

    results.once({"kind": "exact"}, exact)
    results.once({"kind": "usual"}, partial(generic, USUAL))
    results.once({"kind": "best"}, partial(generic, None))
    fitted = tailor.stored(config.model, config.shown)
    results.once({"kind": "fitted"}, partial(sampled, fitted))

"""Memory and time of the value and gradient of each loss in each mode."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import timing

HERE = Path(__file__).parent


MODES = {
    "RMSE bound, all steps in one call": bj.losses.rmse_bound,
    "RMSE bound, one step at a time": partial(bj.losses.rmse_bound, sequential=True),
    "LTE, all steps in one call": bj.losses.lte,
    "LTE, one step at a time": partial(bj.losses.lte, sequential=True),
    "direct RMSE, recomputing": bj.losses.rmse,
    "direct RMSE, keeping activations": partial(bj.losses.rmse, checkpoint=False),
    "RMSE bound, ground truth on line": partial(
        bj.losses.rmse_bound, sequential=True, online=True
    ),
}


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    batch: int = 32
    steps: tuple[int, ...] = (2, 4, 8, 12, 16, 24)
    rounds: int = 7


def compiled(loss, family: bj.families.Family, field, paths: bj.Paths):
    """() -> value and gradient; and the peak of its temporaries in MiB."""
    theta = family.init()
    by_theta = lambda theta, field, paths: loss(family, theta, field, paths)
    program = jax.jit(jax.value_and_grad(by_theta)).lower(theta, field, paths).compile()
    return partial(program, theta, field, paths), timing.peak(program) / 2**20


def measure(config: Config) -> None:
    model = bj.demo.load(config.model)
    x0, _ = bj.model.noise(model, jax.random.key(0), config.batch)
    paths = bj.reference.solve(model.field, x0, end=model.end)
    paths = paths._replace(stats=None, certificate=None)
    works, rows = {}, []
    for name, loss in tqdm(MODES.items(), desc="compile"):
        for n in config.steps:
            family = bj.families.scale_time(n, end=model.end)
            works[name, n], peak = compiled(loss, family, model.field, paths)
            rows.append({"mode": name, "n": n, "peak_mib": peak})
    spent = timing.in_turn(works, config.rounds, desc="time")
    for row in rows:
        row["seconds"] = float(np.median(spent[row["mode"], row["n"]]))
    result = {"config": asdict(config), "machine": harness.machine(), "rows": rows}
    harness.save(HERE / "results.json", result)

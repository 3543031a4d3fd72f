"""How many ground-truth paths a fit needs, and what it costs.

    uv run python -m experiments.ablations.cost
    uv run python -m experiments.ablations.cost --timing

RK2-Bespoke, direct RMSE, n = 5. Three questions: RMSE against the number of training
paths; RMSE against all network evaluations spent (ground truth, fit, validation); and
one fit cheap enough for 5 % of what training the model took. `--timing` takes the
wall-clock of that fit, ground truth and compilation included, in fresh processes; give
it an idle machine. Interrupted, the same command goes on where it stopped; `--models
eps_vp` does one model. Writes `results/cost-*.json`, a block of README.md, `cost.png`.
"""

import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.ablations import cost_page
from experiments.digits import models

HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")


@dataclass(frozen=True)
class Cheap:
    """A fit for 5 % of the training: what it changes of the set-up."""

    training: int = 48
    validation: int = 16
    iterations: int = 64
    batch_size: int = 16
    lr: float = 2e-2


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS  # of the cheap fit
    swept: tuple[str, ...] = ("fm_ot",)  # those of them for the curves
    nfe: int = 10
    paths: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024, 2048)
    few: tuple[int, int] = (96, 32)  # training and validation paths of short fits
    short: tuple[int, ...] = (10, 20, 40, 80, 160, 320)  # iterations of those
    short_lr: tuple[float, ...] = (3e-2, 2e-2, 2e-2, 2e-2, 1e-2, 1e-2)  # one for each
    cheap: Cheap = Cheap()
    timing: bool = False
    setup: harness.Setup = harness.Setup()


def results_of(config: Config, name: str) -> harness.Results:
    names = ("nfe", "paths", "few", "short", "short_lr")
    settings = {k: getattr(config, k) for k in names}
    settings = {**settings, "cheap": asdict(config.cheap), **config.setup.described()}
    return harness.Results(HERE / "results" / f"cost-{name}.json", settings)


def split(paths: bj.Paths, training: int, test: bj.Paths | None) -> harness.Truth:
    """Few paths, the last of them for validation."""
    parts = slice(0, training), slice(training, None)
    return harness.Truth(*(bj.paths.take(paths, part) for part in parts), test)


def fit(setup, model, nfe: int, truth, solved: float, name: str) -> dict:
    """RMSE and network evaluations of a fit whose ground truth cost `solved` of them.

    The first convention counts forward 1, reverse 2; the second forward passes alone.
    """
    family = bj.families.scale_time(nfe // 2, end=model.end)
    fitted = harness.fitted(setup, model.field, truth, family, name)
    total = solved + truth.validation.size * nfe + float(harness.spent(fitted)[-1])
    # One forward pass in three evaluations of an iteration, all of a validation.
    before = solved + len(fitted.history.rmse) * truth.validation.size * nfe
    forward, training = before + (total - before) / 3, model.training_evaluations
    test = {}
    if truth.test is not None:
        test = harness.errors(model.field, fitted.solver, truth.test)
    return {
        **test,
        "validation": fitted.validation_rmse,
        "truth_evaluations": float(solved),
        "evaluations": total,
        "share": total / training,
        "forward_share": forward / (training / 3),
    }


def fit_cheaply(setup, model, nfe: int, cheap: Cheap, test: bj.Paths | None) -> dict:
    """The cheap configuration, ground truth and fit, with the time of each."""
    setup, began = replace(setup, **asdict(cheap)), time.perf_counter()
    count, name = cheap.training + cheap.validation, f"{model.name}-cheap"
    paths = harness.solved(setup, model, count, name, seed=setup.seed)
    between = time.perf_counter()
    truth = split(paths, cheap.training, test)
    name += f"-{'-'.join(f'{value:g}' for value in asdict(cheap).values())}-{nfe}"
    row = fit(setup, model, nfe, truth, paths.stats.evaluations, name)
    seconds = {"truth_s": between - began, "fit_s": time.perf_counter() - between}
    return {**row, **seconds}


def measure(config: Config, name: str) -> None:
    model, setup, nfe = models.load(name), config.setup, config.nfe
    results, shared = results_of(config, name), harness.truth(config.setup, model)
    test = shared.test

    def by_paths(count: int) -> dict:
        most = max(config.paths)
        many = harness.solved(
            setup, model, most, f"{name}-many", seed=setup.seed + 2000
        )
        truth = shared._replace(training=bj.paths.take(many, slice(0, count)))
        checked = setup.validation / (setup.training + setup.validation)
        cost = many.stats.evaluations * count / most + shared.evaluations * checked
        return fit(setup, model, nfe, truth, cost, f"{name}-paths-{count}-{nfe}")

    def short(iterations: int, lr: float) -> dict:
        count, seed = sum(config.few), setup.seed + 3000
        few = harness.solved(setup, model, count, f"{name}-few", seed=seed)
        truth, cost = split(few, config.few[0], test), few.stats.evaluations
        other = replace(setup, iterations=iterations, lr=lr)
        fit_name = f"{name}-few-{iterations}x{lr:g}-{nfe}"
        return fit(other, model, nfe, truth, cost, fit_name)

    def long() -> dict:
        fit_name, cost = f"{name}-bespoke-midpoint-{nfe}", shared.evaluations
        return fit(setup, model, nfe, shared, cost, fit_name)

    base = bj.solvers.construct("midpoint", nfe, end=model.end)
    results.once({"kind": "midpoint"}, partial(harness.errors, model.field, base, test))
    results.once({"kind": "long"}, long)
    cheap = partial(fit_cheaply, setup, model, nfe, config.cheap, test)
    results.once({"kind": "cheap"}, cheap)
    if name not in config.swept:
        return
    for x, lr in zip(config.short, config.short_lr, strict=True):
        results.once({"kind": "short", "x": x}, partial(short, x, lr))
    for x in config.paths:
        results.once({"kind": "paths", "x": x}, partial(by_paths, x))


def timed(name: str, nfe: int, cheap: Cheap) -> dict:
    """In a process of its own: nothing is there before, on disk or compiled."""
    jax.config.update("jax_enable_compilation_cache", False)
    with tempfile.TemporaryDirectory() as folder:
        setup = harness.Setup(runs=Path(folder))
        return fit_cheaply(setup, models.load(name), nfe, cheap, None)


def time_all(config: Config) -> None:
    # What an earlier timing found says nothing of today.
    results_of(config, "timing").path.unlink(missing_ok=True)
    results = results_of(config, "timing")

    def one(name: str) -> dict:
        load, began = os.getloadavg()[0], time.perf_counter()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            row = pool.submit(timed, name, config.nfe, config.cheap).result()
        return {**row, "load": load, "wall_s": time.perf_counter() - began}

    for name in config.models:
        results.once({"model": name}, partial(one, name))


def by_kind(results: harness.Results) -> dict[str, Any]:
    """Rows of a model: of a curve by x, the others as they are; {} if unfinished."""
    found: dict[str, Any] = {"paths": {}, "short": {}}
    for row in results.rows:
        if "x" in row:
            found[row["kind"]][row["x"]] = row
        else:
            found[row["kind"]] = row
    return found if "cheap" in found else {}


def main(config: Config) -> None:
    if config.timing:
        time_all(config)
    else:
        for name in config.models:
            measure(config, name)
    timing = results_of(config, "timing")
    stored = {name: by_kind(results_of(config, name)) for name in MODELS}
    stored = {name: kinds for name, kinds in stored.items() if kinds}
    if stored:
        cost_page.write(HERE, timing.settings, stored, timing.rows)


if __name__ == "__main__":
    main(tyro.cli(Config))

"""Fits on few paths, of few iterations, and cheap in both."""

import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import jax

import bespoke_jax as bj
from experiments import harness
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

    def results(self, name: str) -> harness.Results:
        """What was measured on a model, or "timing", with these settings."""
        names = ("nfe", "paths", "few", "short", "short_lr")
        settings = {k: getattr(self, k) for k in names}
        settings = {**settings, "cheap": asdict(self.cheap), **self.setup.described()}
        return harness.Results(HERE / "results" / f"{name}.json", settings)


def split(paths: bj.Paths, training: int, test: bj.Paths | None) -> harness.Truth:
    """Few paths, the last of them for validation, and for a test without other ones."""
    parts = slice(0, training), slice(training, None)
    first, last = (bj.paths.take(paths, part) for part in parts)
    return harness.Truth(first, last, last if test is None else test)


def fit(
    setup: harness.Setup,
    model: bj.Model,
    nfe: int,
    truth: harness.Truth,
    solved: float,
    name: str,
) -> harness.Row:
    """RMSE and network evaluations of a fit whose ground truth cost `solved` of them.

    The first convention counts forward 1, reverse 2; the second forward passes alone.
    """
    family = bj.families.scale_time(nfe // 2, end=model.end)
    fitted = harness.fitted(setup, model.field, truth, family, name)
    total = solved + truth.validation.size * nfe + float(harness.spent(fitted)[-1])
    # One forward pass in three evaluations of an iteration, all of a validation.
    before = solved + len(fitted.history.rmse) * truth.validation.size * nfe
    forward, training = before + (total - before) / 3, model.training_evaluations
    assert training is not None  # all digits models say what their training took
    scored = truth.test is not truth.validation
    score = partial(harness.errors, model.field, fitted.solver, truth.test)
    return {
        **(score() if scored else {}),
        "validation": fitted.validation_rmse,
        "truth_evaluations": float(solved),
        "evaluations": total,
        "share": total / training,
        "forward_share": forward / (training / 3),
    }


def fit_cheaply(
    setup: harness.Setup,
    model: bj.Model,
    nfe: int,
    cheap: Cheap,
    test: bj.Paths | None,
) -> harness.Row:
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


def measure(config: Config) -> None:
    if config.timing:
        time_all(config)
        return
    for name in config.models:
        fits_of(config, name)


def fits_of(config: Config, name: str) -> None:
    """All fits on one model."""
    model, setup, nfe = models.load(name), config.setup, config.nfe
    results, shared = config.results(name), harness.truth(config.setup, model)
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
    config.results("timing").path.unlink(missing_ok=True)
    results = config.results("timing")

    def one(name: str) -> dict:
        load, began = os.getloadavg()[0], time.perf_counter()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            row = pool.submit(timed, name, config.nfe, config.cheap).result()
        return {**row, "load": load, "wall_s": time.perf_counter() - began}

    for name in config.models:
        results.once({"model": name}, partial(one, name))

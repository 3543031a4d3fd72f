"""Fitting a scale-time solver and writing its card, for `fit` and `demo`."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import optax

from bespoke_jax import cards as card
from bespoke_jax import families
from bespoke_jax.cli import work
from bespoke_jax.cli.arguments import nearest
from bespoke_jax.families import Family
from bespoke_jax.fields.model import Model
from bespoke_jax.fitting import losses
from bespoke_jax.fitting.fit import Fitted, fit
from bespoke_jax.fitting.splits import three_way
from bespoke_jax.reference.paths import Paths
from bespoke_jax.solvers import TABLE

LOSSES = {
    "rmse_bound": losses.rmse_bound,
    "lte": losses.lte,
    "rmse": losses.rmse,
}
VALIDATION, TEST = 0.2, 0.2
"""The parts of the paths that choose the iterate, and that are only reported on."""
BASES = ("midpoint", "euler", "ralston", "heun", "kutta3", "heun3", "rk4")


class Result(NamedTuple):
    """A fitted solver with what its card tells."""

    family: Family
    fitted: Fitted
    loss: str
    tested: int
    """Paths that the reported errors are of."""
    seconds: float


def steps_for(nfe: int, base: str) -> int:
    """The steps of a base method that spend exactly `nfe` evaluations.

    Raises:
        ValueError: an unknown base, or an nfe that is no multiple of its stages (with
            the nearest that are).
    """
    if base not in BASES:
        raise ValueError(
            f"no base {base!r}; the nearest is {nearest(base, BASES)} "
            f"(bases: {', '.join(BASES)})"
        )
    stages = TABLE[base].stages
    if nfe < stages or nfe % stages:
        below = max(nfe // stages, 1) * stages
        above = below + stages
        valid = f"{below} or {above}" if nfe > stages else str(below)
        raise ValueError(
            f"--nfe must be a multiple of {stages}, the evaluations of a {base} step; "
            f"got {nfe}, the nearest is {valid}"
        )
    return nfe // stages


def check(
    *,
    nfe: int,
    base: str,
    loss: str,
    iterations: int,
    lr: float,
    batch_size: int,
    paths: int,
    evaluations: float | int,
    seconds: float | int,
) -> None:
    """What can be wrong with a fit's arguments, before anything is computed.

    Raises:
        ValueError: as `steps_for`; an unknown loss; a number out of range.
    """
    steps_for(nfe, base)
    if loss not in LOSSES:
        raise ValueError(
            f"no loss {loss!r}; the nearest is {nearest(loss, LOSSES)} "
            f"(losses: {', '.join(LOSSES)})"
        )
    if not lr > 0:
        raise ValueError(f"--lr must be above 0; got {lr}")
    if iterations < 1:
        raise ValueError(f"--iterations must be at least 1; got {iterations}")
    for name, value in (("evaluations", evaluations), ("seconds", seconds)):
        if not value >= 0:
            raise ValueError(f"--{name} must not be negative; got {value}")
    training = paths - sum(max(1, round(part * paths)) for part in (VALIDATION, TEST))
    if training < 1:
        raise ValueError(f"--paths must be at least 3; got {paths}")
    if not 1 <= batch_size <= training:
        raise ValueError(
            f"--batch-size must lie in 1 .. {training}, what --paths {paths} leaves "
            f"for training; got {batch_size}"
        )


def fit_solver(
    model: Model,
    paths: Paths,
    *,
    nfe: int,
    base: str,
    loss: str,
    iterations: int,
    lr: float,
    batch_size: int,
    validation: float,
    test: float | Paths,
    key: Any,
    directory: str | None,
    progress: bool,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
) -> Result:
    """Fit by Adam, the learning rate falling to zero along a cosine.

    Raises:
        KeyboardInterrupt: saying how to resume, when there is a directory.
    """
    family = families.scale_time(
        steps_for(nfe, base), base=base, start=model.start, end=model.end
    )
    began = time.perf_counter()
    try:
        fitted = fit(
            family,
            model.field,
            paths,
            loss=LOSSES[loss],
            optimizer=optax.adam(optax.cosine_decay_schedule(lr, iterations)),
            iterations=iterations,
            batch_size=batch_size,
            validation=validation,
            test=test,
            evaluations=evaluations,
            seconds=seconds,
            key=key,
            directory=f"{directory}/fit" if directory else None,
            progress=progress,
        )
    except KeyboardInterrupt:
        hint = f"run the same command again to resume from {directory}"
        raise KeyboardInterrupt(hint if directory else "nothing was saved") from None
    tested = three_way(paths, validation, test).test.size
    return Result(family, fitted, loss, tested, time.perf_counter() - began)


def save_card(
    path: Path, result: Result, paths: Paths, *, model: str, schedule: Any, seed: int
) -> Path:
    """The card of a fitted solver; `model` is what `--model` was."""
    fitted = result.fitted
    stats, certificate = paths.stats, paths.certificate
    assert stats is not None
    return card.save(
        path,
        fitted.solver,
        model=model,
        schedule=schedule,
        family=result.family.name,
        loss=result.loss,
        rmse=fitted.rmse,
        start_rmse=fitted.start_rmse if math.isfinite(fitted.start_rmse) else None,
        judge="mean",
        paths=result.tested,
        rtol=work.RTOL,
        atol=work.ATOL,
        certificate=None if certificate is None else certificate.endpoint,
        evaluations=fitted.evaluations,
        seconds=stats.seconds + result.seconds,
        seed=seed,
    )

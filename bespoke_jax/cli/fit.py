"""`bespoke fit`: a scale-time solver for the user's own model."""

LOSSES = ("rmse_bound", "lte", "rmse")
VALIDATION, TEST = 0.2, 0.2
"""Fractions of the paths that choose the iterate, and that are only reported on."""
BASES = ("midpoint", "euler", "ralston", "heun", "kutta3", "heun3", "rk4")


def fit(
    *,
    model: str = "",
    nfe: int = 8,
    base: str = "midpoint",
    loss: str = "rmse_bound",
    iterations: int = 1000,
    lr: float = 5e-3,
    batch_size: int = 40,
    paths: int = 512,
    start: float = -1.0,
    evaluations: float = 0.0,
    seconds: float = 0.0,
    seed: int = 0,
    out: str = "solver.json",
    directory: str = "",
    progress: bool = True,
) -> None:
    """Fit a scale-time Bespoke solver to a model and write its card.

    Args:
        model: demo model, package.module:function or path/to/file.py:function; the
            function takes nothing and returns a bespoke_jax.Model.
        nfe: network evaluations of one sample; a multiple of the base's stages.
        base: Runge-Kutta method to start from: midpoint, euler, ralston, heun, ...
        loss: rmse_bound, lte or rmse (through the whole solve: slower, often better).
        iterations: optimiser steps.
        lr: first learning rate of Adam; it falls to zero along a cosine.
        batch_size: exact paths in one optimiser step.
        paths: exact paths to solve for; a fifth of them chooses the iterate, another
            fifth is only reported on.
        start: time in [0, end) at which the samples start; -1 is the model's own.
        evaluations: network evaluations to spend, ground truth included; 0: no limit.
        seconds: time to spend after the ground truth; 0: no limit.
        seed: seed of all noises and batches.
        out: the card to write (.json).
        directory: folder for checkpoints; the same command again resumes from there.
        progress: show progress bars.
    """
    from bespoke_jax.cli import arguments, files

    steps = steps_for(nfe, base)
    arguments.choice("loss", loss, LOSSES, plural="losses")
    arguments.not_negative(evaluations=evaluations, seconds=seconds)
    _check_steps(iterations, lr)
    _check_batch(paths, batch_size)
    card = files.writable(out, suffix=".json")

    from bespoke_jax import cards
    from bespoke_jax.cli import display, models, seeds
    from bespoke_jax.fitting import losses, scale_time

    loaded = models.starting(models.load(model), start)
    with files.resumable(directory) as folder:
        fitted, exact = scale_time.fit_scale_time(
            loaded,
            steps=steps,
            base=base,
            loss=getattr(losses, loss),
            iterations=iterations,
            lr=lr,
            batch_size=batch_size,
            paths=paths,
            validation=VALIDATION,
            test=TEST,
            noise_key=seeds.key(seed, "fit paths"),
            key=seeds.key(seed, "fit batches"),
            evaluations=evaluations or None,
            seconds=seconds or None,
            directory=folder,
            progress=progress,
        )
    cards.save(card, fitted, exact, model=model, schedule=loaded.schedule, seed=seed)
    display.show(
        f"RMSE {fitted.rmse:.4g} at {nfe} NFE on {fitted.scored} paths that chose "
        f"nothing; {base} had {fitted.start_rmse:.4g}.",
        f"{fitted.evaluations:.3g} network evaluations.",
        f"Wrote {card}",
    )


def steps_for(nfe: int, base: str) -> int:
    """The steps of a base method that spend exactly `nfe` evaluations.

    Raises:
        ValueError: an unknown base, or an nfe that is no multiple of its stages (with
            the nearest that are).
    """
    from bespoke_jax.cli import arguments
    from bespoke_jax.solvers.registry import TABLE

    arguments.choice("base", base, BASES)
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


def _check_steps(iterations: int, lr: float) -> None:
    from bespoke_jax.cli import arguments

    if not lr > 0:
        raise ValueError(f"--lr must be above 0; got {lr}")
    arguments.at_least("iterations", iterations, 1)


def _check_batch(paths: int, batch_size: int) -> None:
    training = paths - sum(max(1, round(part * paths)) for part in (VALIDATION, TEST))
    if training < 1:
        raise ValueError(f"--paths must be at least 3; got {paths}")
    if not 1 <= batch_size <= training:
        raise ValueError(
            f"--batch-size must lie in 1 .. {training}, what --paths {paths} leaves "
            f"for training; got {batch_size}"
        )

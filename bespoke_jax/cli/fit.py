"""`bespoke fit`: a solver for the user's own model."""


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
    from bespoke_jax.cli import display, fitting, models, work

    fitting.check(
        nfe=nfe,
        base=base,
        loss=loss,
        iterations=iterations,
        lr=lr,
        batch_size=batch_size,
        paths=paths,
        evaluations=evaluations,
        seconds=seconds,
    )
    card = work.writable(out, suffix=".json")
    loaded = work.starting(models.load(model), start)
    exact = work.ground_truth(
        loaded,
        paths,
        work.key(seed, "fit paths"),
        directory=f"{directory}/ground-truth" if directory else None,
        progress=progress,
    )
    result = fitting.fit_solver(
        loaded,
        exact,
        nfe=nfe,
        base=base,
        loss=loss,
        iterations=iterations,
        lr=lr,
        batch_size=batch_size,
        validation=fitting.VALIDATION,
        test=fitting.TEST,
        evaluations=evaluations or None,
        seconds=seconds or None,
        key=work.key(seed, "fit batches"),
        directory=directory or None,
        progress=progress,
    )
    fitting.save_card(
        card, result, exact, model=model, schedule=loaded.schedule, seed=seed
    )
    fitted = result.fitted
    display.show(
        f"RMSE {fitted.rmse:.4g} at {nfe} NFE on {result.tested} paths that chose "
        f"nothing; {base} had {fitted.start_rmse:.4g}.",
        f"{fitted.evaluations:.3g} network evaluations.",
        f"Wrote {card}",
    )

"""`bespoke tailor`: the most accurate solver for the user's own model at one NFE."""


def tailor(
    *,
    model: str = "",
    nfe: int = 8,
    paths: int = 448,
    judge: str = "mean",
    start: str = "",
    evaluations: float = 0.0,
    seconds: float = 0.0,
    seed: int = 0,
    out: str = "tailored.json",
    directory: str = "",
    progress: bool = True,
) -> None:
    """Find the best solver for a model at one NFE by measuring, and write its card.

    Args:
        model: demo model, package.module:function or path/to/file.py:function; the
            function takes nothing and returns a bespoke_jax.model.Model.
        nfe: network evaluations of one sample.
        paths: exact paths to solve for; a quarter of them is held out for validation.
        judge: mean or median of the samples' errors, whichever is to be small.
        start: a card of nfe or nfe - 1 evaluations to start from as well.
        evaluations: network evaluations to spend, ground truth included; 0: no limit.
        seconds: time to spend after the ground truth; 0: no limit.
        seed: seed of all noises.
        out: the card to write (.json).
        directory: folder for checkpoints; the same command again resumes from there.
        progress: show progress bars.
    """
    from bespoke_jax import card as cards
    from bespoke_jax.cli import display, models, work
    from bespoke_jax.cli.arguments import existing
    from bespoke_jax.tailor import JUDGES
    from bespoke_jax.tailor import tailor as run

    for name, value, least in (("nfe", nfe, 1), ("paths", paths, 8)):
        if value < least:
            raise ValueError(f"--{name} must be at least {least}; got {value}")
    for name, value in (("evaluations", evaluations), ("seconds", seconds)):
        if value < 0:
            raise ValueError(f"--{name} must not be negative; got {value}")
    if judge not in JUDGES:
        raise ValueError(f"--judge must be {' or '.join(JUDGES)}; got {judge}")
    card = work.writable(out, suffix=".json")
    starts = [cards.load(existing(start)).solver] if start else []
    loaded = models.load(model)
    for given in starts:
        if given.nfe not in (nfe, nfe - 1):
            raise ValueError(
                f"--start {start} has {given.nfe} evaluations; give a card of {nfe} or "
                f"{nfe - 1}"
            )
    exact = work.ground_truth(
        loaded,
        paths,
        work.key(seed, "fit paths"),
        directory=f"{directory}/ground-truth" if directory else None,
        progress=progress,
    )
    try:
        found = run(
            loaded.field,
            exact,
            nfe=nfe,
            key=work.key(seed, "fit batches"),
            schedule=loaded.schedule,
            end=loaded.end,
            starts=starts,
            judge=judge,
            evaluations=evaluations or None,
            seconds=seconds or None,
            directory=directory or None,
            progress=progress,
        )
    except KeyboardInterrupt:
        hint = f"run the same command again to resume from {directory}"
        raise KeyboardInterrupt(hint if directory else "nothing was saved") from None
    stats, certificate = exact.stats, exact.certificate
    assert stats is not None and certificate is not None
    cards.save(
        card,
        found.solver,
        model=model,
        schedule=loaded.schedule,
        family=found.family.name,
        loss=f"robust end-point errors, judged by their {judge}",
        rmse=found.rmse,
        start_rmse=found.start_rmse,
        rtol=work.RTOL,
        atol=work.ATOL,
        certificate=certificate.endpoint,
        evaluations=int(found.history.evaluations[-1]),
        seconds=stats.seconds + float(found.history.seconds[-1]),
        seed=seed,
        notes=f"tailored from {found.start}",
    )
    display.show(
        f"Validation RMSE ({judge}) {found.rmse:.4g} at {nfe} NFE; the best of "
        f"{len(found.starts)} starts had {found.start_rmse:.4g}.",
        f"{len(found.history.rmse) - 1} steps, "
        f"{found.history.evaluations[-1]:.3g} network evaluations, "
        f"{stats.evaluations:.3g} of them for the ground truth.",
        f"Wrote {card}",
    )

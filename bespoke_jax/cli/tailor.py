"""`bespoke tailor`: the most accurate solver for the user's own model at one NFE."""

from bespoke_jax.core.solver import Solver


def tailor(
    *,
    model: str = "",
    nfe: int = 8,
    paths: int = 448,
    judge: str = "mean",
    improve: str = "",
    start: float = -1.0,
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
            function takes nothing and returns a bespoke_jax.Model.
        nfe: network evaluations of one sample.
        paths: exact paths to solve for: three fifths fit, a fifth chooses, and a fifth
            that chose nothing gives the score.
        judge: mean or median of the samples' errors, whichever is to be small.
        improve: a card of nfe or nfe - 1 evaluations to start from as well, or a set
            that has one.
        start: time to start at, for a model that gives states there; -1 is the model's
            own start.
        evaluations: network evaluations to spend at most, everything included; 0 is no
            bound.
        seconds: time to spend at most, everything included; 0 is no bound.
        seed: seed of all noises.
        out: the card to write (.json).
        directory: folder for checkpoints; the same command again resumes from there.
        progress: show progress bars.
    """
    from bespoke_jax import cards
    from bespoke_jax.cli import arguments, files

    arguments.at_least("nfe", nfe, 1)
    arguments.at_least("paths", paths, 4)
    arguments.not_negative(evaluations=evaluations, seconds=seconds)
    if judge not in cards.JUDGES:
        raise ValueError(f"--judge must be {' or '.join(cards.JUDGES)}; got {judge}")
    card = files.writable(out, suffix=".json")
    starts = _starts(improve, nfe) if improve else []

    from bespoke_jax import report
    from bespoke_jax.cli import display, models, seeds
    from bespoke_jax.fields.model import noise
    from bespoke_jax.fitting.tailor import tailor as run

    loaded = models.starting(models.load(model), start)
    x0, c = noise(loaded, seeds.key(seed, "fit paths"), paths)
    with files.resumable(directory) as folder:
        found = run(
            loaded.field,
            x0,
            c=c,
            nfe=nfe,
            key=seeds.key(seed, "fit batches"),
            schedule=loaded.schedule,
            start=loaded.start,
            end=loaded.end,
            starts=starts,
            judge=judge,
            evaluations=evaluations or None,
            seconds=seconds or None,
            directory=folder,
            progress=progress,
        )
    cards.save(card, found, model=model, schedule=loaded.schedule, seed=seed)
    display.show(*report.findings(found), f"Wrote {card}")


def _starts(path: str, nfe: int) -> list[Solver]:
    """The solvers of a card's file that a search at `nfe` can start from."""
    from bespoke_jax import cards
    from bespoke_jax.cards.sets import listed
    from bespoke_jax.cli import arguments

    loaded = cards.load(arguments.existing(path))
    each = list(loaded) if isinstance(loaded, cards.CardSet) else [loaded]
    found = []
    for card in each:
        if not isinstance(card.solver, Solver):
            raise ValueError(
                f"--improve {path} has solvers that depend on "
                f"{card.condition or 'a number'}; give a card of plain ones"
            )
        if card.solver.nfe in (nfe, nfe - 1):
            found.append(card.solver)
    if not found:
        budgets = tuple(card.solver.nfe for card in each)
        raise ValueError(
            f"--improve {path} has {listed(budgets)} evaluations; give a card of {nfe} "
            f"or {nfe - 1}"
        )
    return found

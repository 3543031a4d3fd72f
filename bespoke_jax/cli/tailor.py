"""`bespoke tailor`: the most accurate solvers for the user's own model."""

from collections.abc import Sequence

from bespoke_jax.core.solver import Solver


def tailor(
    *,
    model: str = "",
    nfe: str = "8",
    guidance: str = "",
    degree: int = 2,
    effort: str = "best",
    paths: int = 448,
    judge: str = "mean",
    improve: str = "",
    start: float = -1.0,
    evaluations: float = 0.0,
    seconds: float = 0.0,
    seed: int = 0,
    out: str = "tailored.json",
    directory: str = "",
    distributed: str = "",
    progress: bool = True,
) -> None:
    """Find the best solvers for a model by measuring, and write their card.

    Args:
        model: demo model, package.module:function or path/to/file.py:function; the
            function takes nothing and returns a bespoke_jax.Model.
        nfe: network evaluations of one sample: 8, or several as 4,6,8 or 3-20, whose
            solvers share their exact paths and one card.
        guidance: a range such as 0-6: one solver for every guidance weight in it. The
            model's c(key, n) must return a dict whose entry "w" is the weight.
        degree: of the polynomials in the guidance weight, 0 to 8.
        effort: best, or seconds for solvers from forward evaluations of a few dozen
            paths alone (--paths 64 is enough).
        paths: exact paths to solve for: three fifths fit, a fifth chooses, and a fifth
            that chose nothing gives the score.
        judge: mean or median of the samples' errors, whichever is to be small.
        improve: a card of nfe or nfe - 1 evaluations to start from as well, or a set
            that has some.
        start: time to start at, for a model that gives states there; -1 is the model's
            own start.
        evaluations: network evaluations to spend at most, everything included; 0 is no
            bound.
        seconds: time to spend at most, everything included; 0 is no bound.
        seed: seed of all noises.
        out: the card to write (.json).
        directory: folder for checkpoints; the same command again resumes from there.
        distributed: to run the same command in several processes, which share the
            samples: auto (Slurm, Open MPI, Cloud TPU), or HOST:PORT,COUNT,NUMBER.
        progress: show progress bars.
    """
    from bespoke_jax import cards
    from bespoke_jax.cli import arguments, files, ranges

    budgets = ranges.budgets("nfe", nfe)
    over = ranges.interval("guidance", guidance) if guidance else None
    arguments.at_least("paths", paths, 4)
    arguments.between("degree", degree, 0, 8)
    arguments.not_negative(evaluations=evaluations, seconds=seconds)
    if judge not in cards.JUDGES:
        raise ValueError(f"--judge must be {' or '.join(cards.JUDGES)}; got {judge}")
    card = files.writable(out, suffix=".json")
    starts = _starts(improve, budgets) if improve else []

    from bespoke_jax import report
    from bespoke_jax.cli import display, models, processes, seeds
    from bespoke_jax.core import hosts
    from bespoke_jax.fields.model import noise
    from bespoke_jax.fitting.tailor import tailor as run

    processes.join(distributed)
    loaded = processes.spread(models.starting(models.load(model), start))
    weights, depends = None, ""
    if over is not None:
        weights, depends = ranges.spread(*over, paths), models.GUIDANCE
        loaded = models.at_guidance(loaded, weights)
    x0, c = noise(loaded, seeds.key(seed, "fit paths"), paths)
    with files.resumable(directory) as folder:
        found = run(
            loaded.field, x0, c=c, condition=weights, degree=degree,
            nfe=budgets if len(budgets) > 1 else min(budgets),
            key=seeds.key(seed, "fit batches"), schedule=loaded.schedule,
            start=loaded.start, end=loaded.end, starts=starts,
            judge=judge, effort=effort, evaluations=evaluations or None,
            seconds=seconds or None, directory=folder, progress=progress,
        )  # fmt: skip
    if not hosts.is_first():
        return
    about = {"model": model, "schedule": loaded.schedule, "seed": seed}
    cards.save(card, found, condition=depends, **about)
    display.show(*report.findings(found, depends), f"Wrote {card}")


def _starts(path: str, budgets: Sequence[int]) -> list[Solver]:
    """The solvers of a card's file that a search at these budgets can start from."""
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
        if {card.solver.nfe, card.solver.nfe + 1} & set(budgets):
            found.append(card.solver)
    if not found:
        has = tuple(card.solver.nfe for card in each)
        less = f"{budgets[0] - 1}" if len(budgets) == 1 else "one less"
        raise ValueError(
            f"--improve {path} has {listed(has)} evaluations; give a card of "
            f"{listed(tuple(budgets))} or {less}"
        )
    return found

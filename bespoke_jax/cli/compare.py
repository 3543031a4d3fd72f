"""`bespoke compare`: cards and generic solvers on the same held-out noises."""

SHOWN = 256
"""Vector samples drawn; of images, the report shows the first few."""


def compare(
    *,
    solvers: tuple[str, ...] = ("euler", "midpoint", "rk4"),
    model: str = "",
    nfe: tuple[int, ...] = (8,),
    condition: float | None = None,
    n: int = 256,
    batch_size: int = 128,
    start: float = -1.0,
    seed: int = 0,
    out: str = "",
    progress: bool = True,
) -> None:
    """Compare cards and generic solvers by their distance to the exact solution.

    Args:
        solvers: cards and names of `bespoke list`, these also with a grid, such as
            unipc:quadratic, or with one that is read from 32 exact paths of the model:
            euler:acceleration, euler:rotation, unipc:optimal.
        model: as for `bespoke fit`; empty takes the model that the first card names.
        nfe: budgets for the generic solvers; a card has its own, a set of cards all of
            its own.
        condition: for cards whose solvers depend on a number, such as the guidance
            weight: its value, which all samples then have.
        n: number of noises, never those of a fit.
        batch_size: samples run together.
        start: time to start at, for a model that gives states there; -1 is the model's
            own start.
        seed: seed of the noise.
        out: folder for report.html, table.json and table.csv.
        progress: show progress bars.
    """
    from bespoke_jax.cli import files, names

    _check(solvers, n, batch_size, out)
    folder = files.folder(out) if out else None
    model = names.model_of(model, solvers)

    from bespoke_jax import metrics, report
    from bespoke_jax.cli import display, models, named, seeds
    from bespoke_jax.report import figures as plots

    loaded = models.starting(models.load(model), start)
    loaded = named.under(loaded, solvers, condition)
    pilots = seeds.key(seed, "profile")
    measured = named.profiles(solvers, loaded, pilots, progress=progress)
    found = metrics.compare(
        loaded,
        named.at_budgets(solvers, nfe, loaded, condition, measured),
        count=n,
        key=seeds.key(seed, "compare"),
        batch_size=batch_size,
        keep=8 if plots.is_image(loaded.shape) else SHOWN,
        seed=seed,
        progress=progress,
    )
    display.show(
        display.comparison(f"{loaded.name}: {n} noises", found.points),
        *report.recommend(found.points),
    )
    if folder:
        note = f"bespoke compare, seed {seed}, batches of {min(batch_size, n)}."
        written = report.write_all(folder, found, note=note)
        display.show(f"Wrote {', '.join(file.name for file in written)} in {folder}")


def _check(solvers: tuple[str, ...], n: int, batch_size: int, out: str) -> None:
    if not solvers:
        raise ValueError("--solvers needs at least one card or name of bespoke list")
    if n < 2 or batch_size < 1:
        raise ValueError(
            f"--n must be at least 2 and --batch-size 1; got {n} and {batch_size}"
        )
    if out.endswith((".json", ".csv", ".html")):
        raise ValueError(f"--out is a folder for three files; got the file name {out}")

"""`bespoke compare`: cards and generic solvers on the same held-out noises."""

SHOWN = 256
"""Vector samples drawn; of images, the report shows the first few."""


def compare(
    *,
    solvers: tuple[str, ...] = ("euler", "midpoint", "rk4"),
    model: str = "",
    nfe: tuple[int, ...] = (8,),
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
            unipc:quadratic.
        model: as for `bespoke fit`; empty takes the model that the first card names.
        nfe: budgets for the generic solvers; a card has its own.
        n: number of noises, never those of a fit.
        batch_size: samples run together.
        start: time to start at, for a model that gives states there; -1 is the model's
            own start.
        seed: seed of the noise.
        out: folder for report.html, table.json and table.csv.
        progress: show progress bars.
    """
    from bespoke_jax import metrics, report
    from bespoke_jax.cli import display, models, work
    from bespoke_jax.report import figures as plots

    if not solvers:
        raise ValueError("--solvers needs at least one card or name of bespoke list")
    if n < 2 or batch_size < 1:
        raise ValueError(
            f"--n must be at least 2 and --batch-size 1; got {n} and {batch_size}"
        )
    if out.endswith((".json", ".csv", ".html")):
        raise ValueError(f"--out is a folder for three files; got the file name {out}")
    folder = work.folder(out) if out else None
    loaded = work.starting(models.load(work.model_of(model, solvers)), start)
    chosen = _solvers(solvers, nfe, loaded)
    paths = work.ground_truth(
        loaded,
        n,
        work.key(seed, "compare"),
        batch_size=batch_size,
        progress=progress,
    )
    points = metrics.work_precision(
        loaded.field,
        chosen,
        paths,
        batch_size=batch_size,
        data_range=loaded.data_range,
        keep=8 if plots.is_image(loaded.shape) else SHOWN,
        seed=seed,
        progress=progress,
    )
    points.sort(key=lambda point: (point.nfe, point.error))
    display.show(
        display.comparison(f"{loaded.name}: {n} noises", points),
        *report.recommend(points),
    )
    if folder:
        # The figures first: they are safe whatever the page meets.
        files = [
            work.write_json(folder / "table.json", points),
            work.write_csv(folder / "table.csv", points),
            report.write(
                folder / "report.html",
                loaded.field,
                points,
                paths,
                schedule=loaded.schedule,
                data_range=loaded.data_range,
                title=f"{loaded.name}: solvers compared",
                note=f"bespoke compare, seed {seed}, batches of {min(batch_size, n)}.",
            ),
        ]
        names = ", ".join(file.name for file in files)
        display.show(f"Wrote {names} in {folder}")


def _solvers(names, budgets, model):
    """Name to solvers; a budget that pays for no more steps than another is one."""
    from bespoke_jax.cli import work

    chosen = {}
    for name in names:
        given = budgets[:1] if work.is_card(name) else budgets
        solvers = [work.named_solver(name, budget, model)[1] for budget in given]
        chosen[name] = list({solver.nfe: solver for solver in solvers}.values())
    return chosen

"""`bespoke demo`: the whole job on a digits model that comes with the library."""

TRAINING, VALIDATION, TEST = 320, 128, 256
ITERATIONS, LR, BATCH_SIZE = 400, 1e-2, 40
BUDGETS = (4, 8, 16)
"""NFE of the generic solvers' curves."""


def demo(
    *,
    model: str = "fm_ot",
    nfe: int = 8,
    out: str = "bespoke-demo",
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Fit a solver to a digits model and compare it with the generic ones (minutes).

    Args:
        model: fm_ot, fm_cs or eps_vp.
        nfe: network evaluations of one sample; even.
        out: folder for the card, table.json and the figures.
        seed: seed of all noises and batches.
        progress: show progress bars.
    """
    from bespoke_jax import metrics
    from bespoke_jax.cli import display, fitting, models, work
    from bespoke_jax.reference.paths import take
    from bespoke_jax.report import figures as plots
    from bespoke_jax.solvers import TABLE, construct

    steps = fitting.steps_for(nfe, "midpoint")
    folder = work.folder(out)
    loaded = models.load(model)
    paths = work.ground_truth(
        loaded,
        TRAINING + VALIDATION + TEST,
        work.key(seed, "demo paths"),
        progress=progress,
    )
    held_out = take(paths, slice(-TEST, None))
    result = fitting.fit_solver(
        loaded,
        take(paths, slice(0, -TEST)),
        nfe=nfe,
        base="midpoint",
        # The lower error; the bound saves memory, which these small networks spare.
        loss="rmse",
        iterations=ITERATIONS,
        lr=LR,
        batch_size=BATCH_SIZE,
        validation=VALIDATION / (TRAINING + VALIDATION),
        test=held_out,
        key=work.key(seed, "demo batches"),
        directory=None,
        progress=progress,
    )
    name = "bespoke_midpoint"
    generic = [g for g in ("euler", "midpoint", "rk4") if nfe >= TABLE[g].stages]
    build = lambda generic, budget: construct(generic, budget, end=loaded.end)
    points = metrics.work_precision(
        loaded.field,
        {name: result.fitted.solver, **{g: build(g, nfe) for g in generic}},
        held_out,
        batch_size=work.BATCH,
        data_range=loaded.data_range,
        keep=12,
        progress=progress,
    )

    # More budgets for the curves.
    curves = {p.name: [(p.nfe, p.rmse.mean)] for p in points[1:]}
    others = {
        g: [s for s in (build(g, k) for k in BUDGETS) if s.nfe != curves[g][0][0]]
        for g in generic
    }
    for p in metrics.work_precision(loaded.field, others, held_out, progress=progress):
        curves[p.name].append((p.nfe, p.rmse.mean))

    card = fitting.save_card(
        folder / "card.json",
        result,
        paths,
        model=model,
        schedule=loaded.schedule,
        seed=seed,
    )
    work.write_json(folder / "table.json", points)
    title = f"{loaded.name}, {nfe} NFE"
    samples = {f"{p.name}, {p.nfe} NFE": p.samples for p in points}
    figures = {
        "samples.png": plots.images(
            {"exact solution": held_out.x1, **samples},
            data_range=loaded.data_range,
        ),
        "rmse_nfe.png": plots.rmse_against_nfe(
            curves, {name: [(nfe, points[0].rmse.mean)]}, title=loaded.name
        ),
        "learned.png": plots.learned_path(
            result.family.values(result.fitted.theta),
            end=loaded.end,
            title=f"{name}, {steps} steps, {title}",
        ),
    }
    files = [card, folder / "table.json"]
    files += [plots.write(figure, folder / file) for file, figure in figures.items()]
    display.show(
        display.comparison(f"{title}: {TEST} held-out noises", points),
        "RMSE is to the exact solution from the same noise.",
        f"Wrote {', '.join(file.name for file in files)} in {folder}",
    )

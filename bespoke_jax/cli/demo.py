"""`bespoke demo`: the whole job on a digits model that comes with the library."""


def demo(
    *,
    model: str = "fm_ot",
    nfe: tuple[int, ...] = (4, 6, 8),
    out: str = "bespoke-demo",
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Tailor solvers to a digits model and compare them with generic ones (minutes).

    Args:
        model: fm_ot, fm_cs or eps_vp.
        nfe: network evaluations of one sample, one solver for each.
        out: folder for the cards, table.json and the figures.
        seed: seed of all noises.
        progress: show progress bars.
    """
    from bespoke_jax.cli import arguments, files

    for budget in nfe:
        arguments.at_least("nfe", budget, 1)
    folder = files.folder(out)

    from bespoke_jax.cli import display, models, seeds
    from bespoke_jax.demo import job

    loaded = models.load(model)
    done = job.run(loaded, nfe, key=seeds.key(seed, "demo"), progress=progress)
    written = job.write(folder, done, model=model, seed=seed)
    title = f"{loaded.name}: {done.held_out.size} held-out noises"
    display.show(
        display.comparison(title, done.points),
        "RMSE is to the exact solution from the same noise.",
        *done.sentences(),
        f"Wrote {', '.join(file.name for file in written)} in {folder}",
    )

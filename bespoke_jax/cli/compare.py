"""`bespoke compare`: cards and generic solvers on the same held-out noises."""


def compare(
    *,
    solvers: tuple[str, ...] = ("euler", "midpoint", "rk4"),
    model: str = "",
    nfe: tuple[int, ...] = (8,),
    n: int = 256,
    seed: int = 0,
    out: str = "",
    progress: bool = True,
) -> None:
    """Compare cards and generic solvers by their distance to the exact solution.

    Args:
        solvers: cards and names of `bespoke list`.
        model: as for `bespoke fit`; empty takes the model that the first card names.
        nfe: budgets for the generic solvers; a card has its own.
        n: number of noises, never those of a fit.
        seed: seed of the noise.
        out: .json file for the table.
        progress: show progress bars.
    """
    from bespoke_jax.cli import display, models, work

    file = work.writable(out, suffix=".json") if out else None
    loaded = models.load(work.model_of(model, solvers))
    chosen = {}
    for name in solvers:
        for budget in nfe[:1] if work.is_card(name) else nfe:
            label, solver = work.named_solver(name, budget, loaded)
            chosen[label, solver.nfe] = solver
    chosen = dict(sorted(chosen.items(), key=lambda item: item[0][1]))
    paths = work.ground_truth(loaded, n, work.key(seed, "compare"), progress=progress)
    rows, _ = work.judge(loaded, chosen, paths, progress=progress)
    display.show(display.comparison(f"{loaded.name}: {n} noises", rows))
    if file:
        work.write_table(file, rows)
        display.show(f"Wrote {file}")

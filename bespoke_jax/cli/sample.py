"""`bespoke sample`: samples of a model by one solver."""

from typing import Annotated

import tyro


def sample(
    solver: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOLVER")],
    *,
    model: str = "",
    nfe: int = 0,
    n: int = 64,
    start: float = -1.0,
    seed: int = 0,
    out: str = "samples.npz",
    progress: bool = True,
) -> None:
    """Draw samples by a card's solver or a generic one.

    Args:
        solver: a card, or a name of `bespoke list`, also with a grid: unipc:quadratic.
        model: as for `bespoke fit`; empty takes the model that the card names.
        nfe: network evaluations of one sample; 0 takes the card's own.
        n: number of samples.
        start: time to start at, for a model that gives states there; -1 is the model's
            own start.
        seed: seed of the noise.
        out: .npz file for samples and noise; images are drawn beside it (.png).
        progress: show progress bars.
    """
    import numpy as np
    from tqdm import tqdm

    from bespoke_jax.cli import display, models, work
    from bespoke_jax.fields.model import noise
    from bespoke_jax.report import figures as plots
    from bespoke_jax.solvers import TABLE

    file = work.writable(out, suffix=".npz")
    loaded = work.starting(models.load(work.model_of(model, [solver])), start)
    generic = solver.partition(":")[0] in TABLE
    if nfe == 0 and generic:
        raise ValueError(f"give --nfe: {solver} takes any number of steps")
    name, chosen = work.named_solver(solver, nfe, loaded)
    if nfe and chosen.nfe != nfe and not generic:
        raise ValueError(f"the card {solver} has {chosen.nfe} NFE, not --nfe {nfe}")
    x0, c = noise(loaded, work.key(seed, "sample"), n)
    with tqdm(total=n, desc="sample", unit="sample", disable=not progress) as bar:
        x = _run(loaded, chosen, x0, c, work.BATCH, bar)
    np.savez(file, samples=np.asarray(x), noise=np.asarray(x0))
    files = [file]
    if plots.is_image(loaded.shape):
        figure = plots.sheet(x[:64], data_range=loaded.data_range)
        files.append(plots.write(figure, file.with_suffix(".png")))
    display.show(
        f"{n} samples of {loaded.name} by {name}, {chosen.nfe} NFE each.",
        f"Wrote {', '.join(map(str, files))}",
    )


def _run(model, solver, x0, c, batch_size, bar):
    """All samples, in batches of one size (the last one filled up and cut)."""
    import jax.numpy as jnp

    from bespoke_jax.core.batches import batches
    from bespoke_jax.core.sample import sample

    out = []
    for start, stop, (x, cond) in batches((x0, c), batch_size):
        done = sample(model.field, solver, x, c=cond)[: stop - start]
        out.append(done.block_until_ready())
        bar.update(stop - start)
    return jnp.concatenate(out)

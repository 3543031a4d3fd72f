"""`bespoke sample`: samples of a model by one solver."""

from typing import Annotated

import tyro


def sample(
    solver: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOLVER")],
    *,
    model: str = "",
    nfe: int = 0,
    condition: float | None = None,
    n: int = 64,
    start: float = -1.0,
    seed: int = 0,
    out: str = "samples.npz",
    distributed: str = "",
    progress: bool = True,
) -> None:
    """Draw samples by a card's solver or a generic one.

    Args:
        solver: a card, or a name of `bespoke list`, also with a grid: unipc:quadratic.
        model: as for `bespoke fit`; empty takes the model that the card names.
        nfe: network evaluations of one sample; 0 takes the card's own, a set of cards
            needs one.
        condition: for a card whose solver depends on a number, such as the guidance
            weight: its value, which the samples then have as well.
        n: number of samples.
        start: time to start at, for a model that gives states there; -1 is the model's
            own start.
        seed: seed of the noise.
        out: .npz file for samples and noise; images are also drawn, as a .png of the
            same name.
        distributed: to run the same command in several processes, which share the
            samples: auto (Slurm, Open MPI, Cloud TPU), or HOST:PORT,COUNT,NUMBER.
        progress: show progress bars.
    """
    from bespoke_jax.cli import files, names

    file = files.writable(out, suffix=".npz")
    generic, model = names.is_generic(solver), names.model_of(model, [solver])

    import numpy as np

    from bespoke_jax.cards import atomic
    from bespoke_jax.cli import display, models, named, processes, seeds
    from bespoke_jax.core import hosts
    from bespoke_jax.core.many import sample_many
    from bespoke_jax.fields.model import noise
    from bespoke_jax.report import figures as plots

    processes.join(distributed)
    loaded = processes.spread(models.starting(models.load(model), start))
    if nfe == 0 and generic:
        raise ValueError(f"give --nfe: {solver} takes any number of steps")
    chosen = named.solver(solver, nfe, loaded, condition)
    loaded = named.under(loaded, [solver], condition)
    x0, c = noise(loaded, seeds.key(seed, "sample"), n)
    x = sample_many(loaded.field, chosen, x0, c, progress=progress)
    x, x0 = hosts.to_host((x, x0))
    if not hosts.is_first():
        return
    with atomic.replacing(file) as target:
        np.savez(target, samples=x, noise=x0)
    finite = np.isfinite(x).all(tuple(range(1, x.ndim)))
    if not finite.all():
        raise ValueError(
            f"{(~finite).sum()} of {n} samples are not finite; all are in {file}. "
            "Check the field, its end and the number of evaluations"
        )
    written = [file]
    if plots.is_image(loaded.shape):
        figure = plots.sheet(x[:64], data_range=loaded.data_range)
        written.append(plots.write(figure, file.with_suffix(".png")))
    display.show(
        f"{n} samples of {loaded.name} by {solver}, {chosen.nfe} NFE each.",
        f"Wrote {', '.join(map(str, written))}",
    )

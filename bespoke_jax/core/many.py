"""Samples of many noises, a batch at a time."""

import jax
from tqdm import tqdm

from bespoke_jax.core.batches import batches, joined
from bespoke_jax.core.hosts import shows
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.sample import sample
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Conditioning, State


def sample_many(
    field: VelocityField,
    solver: Solver,
    x0: State,
    c: Conditioning = None,
    *,
    batch_size: int = 128,
    progress: bool = False,
) -> jax.Array:
    """The samples of `sample`, with memory bounded by `batch_size` and not by N.

    Args:
        field: velocity field `field(t, x, c)`.
        solver: the rows of (S).
        x0: (N, *shape) states at the start of the solver.
        c: conditioning, leading axis N.
        batch_size: samples run together; the last batch is filled up, so that all run
            the same compiled program.
        progress: show a progress bar.

    Returns:
        (N, *shape) states at `solver.end`, sharded as x0 is.
    """
    done = []
    with tqdm(
        total=len(x0), desc="sample", unit="sample", disable=not shows(progress)
    ) as bar:
        for start, stop, (x, cond) in batches((x0, c), batch_size):
            done.append(sample(field, solver, x, c=cond).block_until_ready())
            bar.update(stop - start)
    return joined(done, len(x0), x0)

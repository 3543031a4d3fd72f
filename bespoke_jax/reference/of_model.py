"""Ground truth of a `Model`, from noises of its own."""

from pathlib import Path

import jax

from bespoke_jax.core import checks
from bespoke_jax.fields.model import Model, noise
from bespoke_jax.reference.paths import Paths
from bespoke_jax.reference.solving import solve


def solve_model(
    model: Model,
    count: int,
    *,
    key: jax.Array,
    tolerance: float = 1e-5,
    batch_size: int = 128,
    directory: Path | str | None = None,
    progress: bool = True,
) -> Paths:
    """Exact paths from `count` fresh noises of a model, over the model's interval.

    Args:
        model: the field with its shape, interval and conditioning.
        count: number of paths.
        key: source of the noises.
        tolerance: relative and absolute tolerance.
        batch_size, directory, progress: as for `reference.solve`.

    Raises:
        ValueError: as `fields.model.noise` and `reference.solve`.
    """
    x0, c = noise(model, key, count)
    batch_size = min(checks.whole("batch_size", batch_size), count)
    return solve(
        model.field, x0, c=c, start=model.start, end=model.end, rtol=tolerance,
        atol=tolerance, batch_size=batch_size, directory=directory,
        progress=progress,
    )  # fmt: skip

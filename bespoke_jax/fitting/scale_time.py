"""The scale-time fit of a `Model`: ground truth, then Adam along a cosine.

This is what `bespoke fit` runs: Shaul et al. (2024), arXiv 2310.19075, algorithm 2.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import optax

from bespoke_jax.families import scale_time
from bespoke_jax.fields.model import Model
from bespoke_jax.fitting.fit import Fitted, fit
from bespoke_jax.reference.of_model import solve_model
from bespoke_jax.reference.paths import Paths


class ScaleTimeFit(NamedTuple):
    """The fit and the ground truth that it was made from."""

    fitted: Fitted
    paths: Paths


def fit_scale_time(
    model: Model,
    *,
    steps: int,
    base: str,
    loss: Callable,
    iterations: int,
    lr: float,
    batch_size: int,
    paths: int,
    validation: float,
    test: float,
    noise_key: jax.Array,
    key: jax.Array,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    directory: Path | None = None,
    progress: bool = True,
) -> ScaleTimeFit:
    """Fit a scale-time solver to a model.

    Args:
        model: the model.
        steps, base: of `families.scale_time`.
        loss, iterations, batch_size, validation, test, evaluations, seconds, progress:
            as for `fit`.
        lr: first learning rate of Adam; it falls to zero along a cosine.
        paths: number of exact paths.
        noise_key, key: sources of the noises and of the batches.
        directory: folder for the ground truth and the checkpoints; the same call
            resumes from there.

    Raises:
        ValueError: as `reference.solve` and `fit`.
    """
    exact = solve_model(
        model, paths, key=noise_key, progress=progress,
        directory=None if directory is None else directory / "ground-truth",
    )  # fmt: skip
    fitted = fit(
        scale_time(steps, base=base, start=model.start, end=model.end),
        model.field,
        exact,
        loss=loss,
        optimizer=optax.adam(optax.cosine_decay_schedule(lr, iterations)),
        iterations=iterations,
        batch_size=batch_size,
        validation=validation,
        test=test,
        evaluations=evaluations,
        seconds=seconds,
        key=key,
        directory=None if directory is None else directory / "fit",
        progress=progress,
    )
    return ScaleTimeFit(fitted, exact)

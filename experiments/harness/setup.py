"""The set-up of the studies: noises, ground truth, fits, samples and their errors."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np
import optax

import bespoke_jax as bj
from bespoke_jax.core.protocols import VelocityField

# The direct loss, keeping all activations: these networks are small enough.
DIRECT = partial(bj.losses.rmse, checkpoint=False)


@dataclass(frozen=True)
class Setup:
    """Ground truth and fits that all studies use unless they say otherwise."""

    training: int = 320  # paths
    validation: int = 128  # paths: they select the iterate
    test: int = 1024  # noises used neither for fitting nor for selection
    tolerance: float = 1e-5
    iterations: int = 150
    batch_size: int = 32
    lr: float = 1e-2  # of Adam, with a cosine decay to zero
    seed: int = 0
    runs: Path = Path("runs")

    def described(self) -> dict[str, Any]:
        """The settings that results depend on: all but the place on disk."""
        return {k: v for k, v in asdict(self).items() if k != "runs"}


class Truth(NamedTuple):
    """Ground-truth paths of one field."""

    training: bj.Paths
    validation: bj.Paths
    test: bj.Paths

    @property
    def evaluations(self) -> int:
        """Network evaluations that the training and validation paths cost."""
        return self.training.stats.evaluations


def truth(
    setup: Setup,
    model: bj.Model,
    *,
    name: str = "",
    field: VelocityField | None = None,
) -> Truth:
    """Paths of `field` (the model's own without one), kept under `name`."""
    name = name or model.name
    solve = partial(solved, setup, model, field=field)
    first = solve(setup.training + setup.validation, name, seed=setup.seed)
    held_out = bj.paths.take(first, slice(setup.training, None))
    training = bj.paths.take(first, slice(0, setup.training))
    test = solve(setup.test, f"{name}-test", seed=setup.seed + 1000)
    return Truth(training, held_out, test)


def solved(
    setup: Setup,
    model: bj.Model,
    count: int,
    name: str,
    *,
    seed: int,
    field: VelocityField | None = None,
) -> bj.Paths:
    """`count` ground-truth paths from noises of a seed, kept under `name`."""
    x0, c = bj.model.noise(model, jax.random.key(seed), count)
    return bj.reference.solve(
        model.field if field is None else field,
        x0,
        c=c,
        end=model.end,
        rtol=setup.tolerance,
        atol=setup.tolerance,
        directory=setup.runs / "truth" / f"{name}-{count}-{seed}",
    )


@overload
def fitted(
    setup: Setup,
    field: VelocityField,
    truth: Truth,
    family: bj.families.Family,
    name: str,
    *,
    loss: Callable[..., jax.Array] = DIRECT,
    start: bj.Solver | None = None,
    effort: float = 1.0,
    learning: float = 1.0,
) -> bj.Fitted: ...
@overload
def fitted(
    setup: Setup,
    field: VelocityField,
    truth: Truth,
    family: bj.families.Joint,
    name: str,
    *,
    loss: Callable[..., jax.Array] = DIRECT,
    start: bj.Solver | None = None,
    effort: float = 1.0,
    learning: float = 1.0,
) -> bj.FittedJoint: ...
def fitted(
    setup: Setup,
    field: VelocityField,
    truth: Truth,
    family: bj.families.Family | bj.families.Joint,
    name: str,
    *,
    loss: Callable[..., jax.Array] = DIRECT,
    start: bj.Solver | None = None,
    effort: float = 1.0,
    learning: float = 1.0,
) -> bj.Fitted | bj.FittedJoint:
    """A fit kept under `name`: Adam, selected on the validation paths.

    `effort` multiplies the iterations, `learning` the learning rate of the set-up.
    """
    iterations = round(setup.iterations * effort)
    schedule = optax.cosine_decay_schedule(setup.lr * learning, iterations)
    return bj.fit(
        family,
        field,
        truth.training,
        validation=truth.validation,
        test=truth.test,
        key=jax.random.key(setup.seed + 1),
        start=start,
        loss=loss,
        optimizer=optax.adam(schedule),
        iterations=iterations,
        batch_size=min(setup.batch_size, truth.training.size),
        directory=setup.runs / "fits" / name,
    )


def tailored(
    setup: Setup, model: bj.Model, truth: Truth, nfe: int, **options: Any
) -> bj.Tailored:
    """What `bj.tailor` finds on these paths; options as there."""
    return bj.tailor(
        model.field,
        truth.training,
        validation=truth.validation,
        test=truth.test,
        nfe=nfe,
        key=jax.random.key(setup.seed + 1),
        schedule=model.schedule,
        end=model.end,
        **options,
    )


def spent(fitted: bj.Fitted | bj.FittedJoint) -> np.ndarray:
    """Network evaluations of a fit and its validations at each of them after the start.

    Without those of the ground truth, of checks and of the report on the test noises.
    """
    return fitted.history.evaluations - fitted.history.evaluations[0]


def sampled(
    field: VelocityField,
    solver: bj.Solver,
    x0: jax.Array,
    c: Any = None,
    *,
    batch: int = 128,
) -> jax.Array:
    """Samples of a solver, a batch at a time."""
    solver = jax.tree.map(jnp.asarray, solver)
    parts = []
    for i in range(0, len(x0), batch):
        part = jax.tree.map(lambda leaf, i=i: leaf[i : i + batch], (x0, c))
        parts.append(_sample(field, solver, *part))
    return jnp.concatenate(parts)


_sample = jax.jit(lambda field, solver, x0, c: bj.sample(field, solver, x0, c=c))


def errors(
    field: VelocityField, solver: bj.Solver, paths: bj.Paths
) -> dict[str, float]:
    """RMSE figures of a solver on paths: mean and median of the per-sample RMS."""
    each = bj.metrics.errors(sampled(field, solver, paths.x0, paths.c), paths.x1)
    each = np.asarray(each, np.float64)
    return {"rmse": float(each.mean()), "median": float(np.median(each))}

"""One fit with all its iterates, judged by RMSE and Frechet distance."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import bespoke_jax as bj
from experiments import harness
from experiments.digits import classifier, models

HERE = Path(__file__).parent


MODELS = ("fm_ot", "fm_cs", "eps_vp")


LOSSES = {"bound": bj.losses.rmse_bound, "direct": harness.DIRECT}


SHOWN = 10  # samples in the figure


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: int = 8
    iterations: int = 200
    every: int = 25  # iterations between the iterates kept
    frechet: int = 4096  # noises: one half selects, the other is reported
    setup: harness.Setup = harness.Setup()

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        own = ("nfe", "iterations", "every", "frechet")
        # Last: the iterations are those of this experiment.
        settings = self.setup.described() | {k: getattr(self, k) for k in own}
        return harness.Results(HERE / "results" / f"{name}.json", settings)


@partial(jax.jit, static_argnames=("config", "family", "loss"))
def iterates(
    config: Config, family: bj.Family, loss: Any, field: Any, paths: bj.Paths
) -> bj.Solver:
    """Stacked solvers after 0, every, 2 every .. steps of Adam with cosine decay."""
    setup, kept = config.setup, config.iterations // config.every
    batch = min(setup.batch_size, paths.size)
    schedule = optax.cosine_decay_schedule(setup.lr, config.every * kept)
    adam = optax.adam(schedule)

    def step(carry, key):
        theta, moments = carry
        index = jax.random.choice(key, paths.size, (batch,), replace=False)
        objective = lambda theta: loss(
            family, theta, field, bj.paths.take(paths, index)
        )
        change, moments = adam.update(jax.grad(objective)(theta), moments)
        return (optax.apply_updates(theta, change), moments), None

    def stretch(carry, keys):
        carry, _ = jax.lax.scan(step, carry, keys)
        return carry, carry[0]

    start = family.init()
    keys = jax.random.split(jax.random.key(setup.seed + 1), (kept, config.every))
    _, thetas = jax.lax.scan(stretch, (start, adam.init(start)), keys)
    thetas = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start, thetas)
    return jax.vmap(family.build)(thetas)


def measure_model(config: Config, name: str) -> None:
    model = models.load(name)
    results = config.results(name)
    truth = harness.truth(config.setup, model)
    solve = partial(harness.solved, config.setup, model, config.frechet)
    many = solve(f"{name}-frechet", seed=2000)  # as in the loss ablation
    half = config.frechet // 2
    selecting = bj.paths.take(many, slice(0, half))
    reported = bj.paths.take(many, slice(half, None))
    family = bj.families.scale_time(config.nfe // 2, end=model.end)
    results.once(
        {"loss": "exact"},
        lambda: {
            "selecting": classifier.frechet(selecting.x1),
            "frechet": classifier.frechet(reported.x1),
            "images": harness.as_shades(reported.x1[:SHOWN]),
        },
    )

    def one(loss: str) -> dict[str, Any]:
        training = truth.training._replace(stats=None, certificate=None)
        stack = iterates(config, family, LOSSES[loss], model.field, training)
        count = len(stack.end)
        solvers = [jax.tree.map(lambda leaf, i=i: leaf[i], stack) for i in range(count)]
        curves: dict[str, list[float]] = {"rmse": [], "frechet": []}
        for solver in solvers:
            errors = harness.errors(model.field, solver, truth.validation)
            samples = harness.sampled(model.field, solver, selecting.x0)
            finite = bool(jnp.isfinite(samples).all())
            curves["rmse"].append(errors["rmse"])
            curves["frechet"].append(classifier.frechet(samples) if finite else np.nan)
        chosen = {}
        for criterion, values in curves.items():
            best = int(np.nanargmin(values))
            samples = harness.sampled(model.field, solvers[best], reported.x0)
            chosen[criterion] = {
                "iteration": best * config.every,
                "rmse": harness.errors(model.field, solvers[best], truth.test)["rmse"],
                "frechet": classifier.frechet(samples),
                "images": harness.as_shades(samples[:SHOWN]),
            }
        return {"curves": curves, "chosen": chosen}

    for loss in LOSSES:
        results.once({"loss": loss}, lambda task=loss: one(task))

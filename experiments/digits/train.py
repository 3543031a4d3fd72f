"""Trains the digits models: `uv run python -m experiments.digits.train`.

On a path x_t = alpha_t x_1 + sigma_t x_0 with digits x_1 and noise x_0 ~ N(0, I), the
network is fitted by mean squared error to the velocity alpha'_t x_1 + sigma'_t x_0
(`fm_*`) or to the noise x_0 (`eps_vp`), t uniform; `edm` to the F of Karras et al.
(2022, arXiv 2206.00364, table 1), with log sigma normal. Of `fm_ot_class` one label in
ten is dropped. What is saved is the exponential moving average of the weights. A run
that was killed goes on where it stopped, to the identical result, when the same command
is given again. `--models fm_ot_16 ...` trains some of them only.
"""

import json
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from tqdm import tqdm

from bespoke_jax.cards import atomic
from bespoke_jax.demo import weights
from experiments import harness
from experiments.digits import data, models

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Settings:
    """What a model depends on; recorded in its file."""

    iterations: int = 6000
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: int = 300
    weight_decay: float = 1e-2
    ema: float = 0.999
    latest: float = 1 - 1e-4  # times are drawn from [0, latest]
    dropped: float = 0.1  # share of labels replaced by "none"
    seed: int = 0


@dataclass(frozen=True)
class Config:
    """Trains models on scikit-learn's digits."""

    models: tuple[str, ...] = tuple(models.RECIPES)
    settings: Settings = Settings()
    every: int = 200  # updates between two validations
    log: Path = HERE / "training.json"  # the curves
    runs: Path = Path("runs/digits")  # unfinished models


class State(NamedTuple):
    """Everything the next update needs; keys come from `step`."""

    step: jax.Array
    params: Any
    ema: Any
    optimizer: Any


def optimizer(settings: Settings) -> optax.GradientTransformation:
    """AdamW with a linear warm-up and a cosine decay to zero."""
    warmup = min(settings.warmup, settings.iterations // 10)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, warmup, settings.iterations
    )
    return optax.adamw(rate, b2=0.99, weight_decay=settings.weight_decay)


def squared_error(params, recipe: models.Recipe, t, x_0, x_1, c) -> jax.Array:
    """Mean squared error per sample `(batch,)` of the network at times t `(batch,)`."""
    column = lambda v: v[:, None, None, None]
    base, s_d = recipe.base, models.SIGMA_DATA
    if base.kind == "edm":
        # t is the quantile of a sigma whose logarithm is N(-1.2, 1.2^2).
        sigma = jnp.exp(-1.2 + 1.2 * jax.scipy.special.ndtri(jnp.clip(t, 1e-6, None)))
        radius = column(jnp.sqrt(sigma**2 + s_d**2))
        noisy = x_1 + column(sigma) * x_0
        x_t, t = noisy / radius, jnp.log(sigma) / 4
        target = (x_1 - s_d**2 / radius**2 * noisy) * radius / (column(sigma) * s_d)
    else:
        alpha, sigma = base.schedule(t)
        x_t = column(alpha) * x_1 + column(sigma) * x_0
        target = x_0
        if base.kind == "velocity":
            alpha_dot, sigma_dot = base.schedule.rates(t)
            target = column(alpha_dot) * x_1 + column(sigma_dot) * x_0
    labels = (c,) if recipe.module.classes else ()
    error = recipe.module.apply({"params": params}, x_t, t, *labels) - target
    return jnp.mean(error**2, axis=(1, 2, 3))


@partial(jax.jit, static_argnums=(0, 1, 2))
def advance(recipe, settings: Settings, updates: int, state: State, digits, labels):
    """Runs `updates` updates in one scan; returns the state and their mean loss."""
    tx = optimizer(settings)
    batch = settings.batch_size

    def update(state: State, _):
        key = jax.random.fold_in(jax.random.key(settings.seed), state.step)
        k_t, k_0, k_1 = jax.random.split(key, 3)
        # One time in each of `batch` equal strata: a less noisy gradient for free.
        t = (jnp.arange(batch) + jax.random.uniform(k_t, (batch,))) / batch
        x_0 = jax.random.normal(k_0, (batch, *recipe.shape))
        chosen = jax.random.randint(k_1, (batch,), 0, len(digits))
        k_c = jax.random.fold_in(key, 3)
        drop = jax.random.uniform(k_c, (batch,)) < settings.dropped
        c = jnp.where(drop, models.CLASSES, labels[chosen])

        def mean(params):
            times, x_1 = settings.latest * t, digits[chosen]
            return squared_error(params, recipe, times, x_0, x_1, c).mean()

        loss, grad = jax.value_and_grad(mean)(state.params)
        change, moments = tx.update(grad, state.optimizer, state.params)
        params = optax.apply_updates(state.params, change)
        # Early on a long average would remember little but the initial weights.
        decay = jnp.minimum(settings.ema, (1 + state.step) / (10 + state.step))
        ema = optax.incremental_update(params, state.ema, 1 - decay)
        return State(state.step + 1, params, ema, moments), loss

    state, loss = jax.lax.scan(update, state, length=updates)
    return state, loss.mean()


@partial(jax.jit, static_argnums=0)
def validate(recipe, params, digits, labels) -> jax.Array:
    """Loss on held-out digits, each at 8 fixed times with fixed noise."""
    count = len(digits)

    def at(i):
        key = jax.random.fold_in(jax.random.key(1000), i)
        t = (jnp.arange(count) + (i + 0.5) / 8) / count * Settings.latest
        x_0 = jax.random.normal(key, digits.shape)
        return squared_error(params, recipe, t, x_0, digits, labels).mean()

    return jax.lax.map(at, jnp.arange(8)).mean()


def store(path: Path, state: State, curve: dict[str, list]) -> None:
    """Writes an unfinished model atomically."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
    with atomic.replacing(path) as file:
        np.savez(file, *leaves, curve=np.array(json.dumps(curve)))


def restore(path: Path, state: State) -> tuple[State, dict[str, list]]:
    """Reads what `store` wrote, in the structure of `state`."""
    with np.load(path, allow_pickle=False) as archive:
        leaves, tree = jax.tree.flatten(state)
        stored = [jnp.asarray(archive[f"arr_{i}"]) for i in range(len(leaves))]
        return jax.tree.unflatten(tree, stored), json.loads(archive["curve"].item())


def train(name: str, config: Config) -> dict[str, Any]:
    """Trains one model, writes its weights and returns its curve and its cost."""
    recipe, settings = models.RECIPES[name], config.settings
    digits = jax.tree.map(jnp.asarray, data.load(size=recipe.size))
    key = jax.random.key(settings.seed)
    example = (jnp.zeros((1, *recipe.shape)), jnp.zeros(1), jnp.zeros(1, jnp.int32))
    params = recipe.module.init(key, *example)["params"]
    init = optimizer(settings).init(params)
    state = State(jnp.zeros((), jnp.int32), params, params, init)
    curve = {"iteration": [], "train": [], "validation": [], "seconds": []}
    tag = "-".join(str(v) for v in asdict(settings).values())
    unfinished = config.runs / f"{name}-{tag}.npz"
    if unfinished.exists():
        state, curve = restore(unfinished, state)

    done = int(state.step)
    before = curve["seconds"][-1] if done else 0.0
    start = time.perf_counter()
    with tqdm(total=settings.iterations, initial=done, desc=name) as bar:
        while done < settings.iterations:
            updates = min(config.every, settings.iterations - done)
            state, loss = advance(
                recipe, settings, updates, state, digits.train, digits.train_labels
            )
            done += updates
            curve["iteration"].append(done)
            curve["train"].append(float(loss))
            held_out = digits.validation, digits.validation_labels
            curve["validation"].append(float(validate(recipe, state.ema, *held_out)))
            curve["seconds"].append(before + time.perf_counter() - start)
            if not np.isfinite(curve["train"][-1]):
                raise SystemExit(f"{name}: loss is not finite at iteration {done}")
            store(unfinished, state, curve)
            bar.update(updates)
            losses = {k: f"{curve[k][-1]:.4f}" for k in ("train", "validation")}
            bar.set_postfix(losses)

    record = {
        **asdict(settings),
        "model": name,
        "evaluations": settings.iterations * settings.batch_size,
        "validation": curve["validation"][-1],
    }
    file = models.file_of(name)
    file.parent.mkdir(exist_ok=True)
    weights.write(file, weights.Weights(state.ema, record))
    unfinished.unlink()
    return {"record": record, "curve": curve}


def main(config: Config) -> None:
    unknown = sorted(set(config.models) - set(models.RECIPES))
    if unknown:
        raise SystemExit(f"models are {', '.join(models.RECIPES)}; got {unknown}")
    for name in config.models:
        result = train(name, config)
        log = harness.load(config.log) if config.log.exists() else {}
        harness.save(config.log, {**log, name: result})


if __name__ == "__main__":
    main(tyro.cli(Config))

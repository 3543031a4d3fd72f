"""Trains the three digits models: `uv run python experiments/digits/train.py`.

On a path x_t = alpha_t x_1 + sigma_t x_0 with digits x_1 and noise x_0 ~ N(0, I), the
network is fitted by mean squared error to the velocity alpha'_t x_1 + sigma'_t x_0
(`fm_ot`, `fm_cs`) or to the noise x_0 (`eps_vp`); t is uniform. What is saved is the
exponential moving average of the weights. A run that was killed goes on where it
stopped, to the identical result, when the same command is given again.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import data
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from tqdm import tqdm

import bespoke_jax as bj
from bespoke_jax.demo import weights

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
    seed: int = 0


@dataclass(frozen=True)
class Config:
    """Trains models of `bespoke_jax.demo` on scikit-learn's digits."""

    models: tuple[str, ...] = bj.demo.NAMES
    settings: Settings = Settings()
    every: int = 200  # updates between two validations
    out: Path = HERE.parents[1] / "bespoke_jax" / "demo"  # the weights
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


def squared_error(params, recipe: bj.demo.Recipe, t, x_0, x_1) -> jax.Array:
    """Mean squared error per sample `(batch,)` of the network at times t `(batch,)`."""
    column = lambda v: v[:, None, None, None]
    alpha, sigma = recipe.schedule(t)
    x_t = column(alpha) * x_1 + column(sigma) * x_0
    target = x_0
    if recipe.kind == "velocity":
        alpha_dot, sigma_dot = recipe.schedule.rates(t)
        target = column(alpha_dot) * x_1 + column(sigma_dot) * x_0
    error = bj.demo.UNet().apply({"params": params}, x_t, t) - target
    return jnp.mean(error**2, axis=(1, 2, 3))


@partial(jax.jit, static_argnums=(0, 1, 2))
def advance(recipe, settings: Settings, updates: int, state: State, digits):
    """Runs `updates` updates in one scan; returns the state and their mean loss."""
    tx = optimizer(settings)
    batch = settings.batch_size

    def update(state: State, _):
        key = jax.random.fold_in(jax.random.key(settings.seed), state.step)
        k_t, k_0, k_1 = jax.random.split(key, 3)
        # One time in each of `batch` equal strata: a less noisy gradient for free.
        t = (jnp.arange(batch) + jax.random.uniform(k_t, (batch,))) / batch
        x_0 = jax.random.normal(k_0, (batch, *bj.demo.SHAPE))
        x_1 = digits[jax.random.randint(k_1, (batch,), 0, len(digits))]
        mean = lambda p: squared_error(p, recipe, settings.latest * t, x_0, x_1).mean()
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
def validate(recipe, params, digits) -> jax.Array:
    """Loss on held-out digits, each at 8 fixed times with fixed noise."""
    count = len(digits)

    def at(i):
        key = jax.random.fold_in(jax.random.key(1000), i)
        t = (jnp.arange(count) + (i + 0.5) / 8) / count * Settings.latest
        x_0 = jax.random.normal(key, digits.shape)
        return squared_error(params, recipe, t, x_0, digits).mean()

    return jax.lax.map(at, jnp.arange(8)).mean()


def store(path: Path, state: State, curve: dict[str, list]) -> None:
    """Writes an unfinished model atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_suffix(".partial")
    with open(partial_path, "wb") as file:
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
        np.savez(file, *leaves, curve=np.array(json.dumps(curve)))
    os.replace(partial_path, path)


def restore(path: Path, state: State) -> tuple[State, dict[str, list]]:
    """Reads what `store` wrote, in the structure of `state`."""
    with np.load(path, allow_pickle=False) as archive:
        leaves, tree = jax.tree.flatten(state)
        stored = [jnp.asarray(archive[f"arr_{i}"]) for i in range(len(leaves))]
        return jax.tree.unflatten(tree, stored), json.loads(archive["curve"].item())


def train(name: str, config: Config, digits: data.Digits) -> dict[str, Any]:
    """Trains one model, writes its weights and returns its curve and its cost."""
    recipe, settings = bj.demo.RECIPES[name], config.settings
    key = jax.random.key(settings.seed)
    image = jnp.zeros((1, *bj.demo.SHAPE))
    params = bj.demo.UNet().init(key, image, jnp.zeros(1))["params"]
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
            state, loss = advance(recipe, settings, updates, state, digits.train)
            done += updates
            curve["iteration"].append(done)
            curve["train"].append(float(loss))
            curve["validation"].append(
                float(validate(recipe, state.ema, digits.validation))
            )
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
    weights.write(config.out / f"{name}.npz", weights.Weights(state.ema, record))
    unfinished.unlink()
    return {"record": record, "curve": curve}


def main(config: Config) -> None:
    unknown = sorted(set(config.models) - set(bj.demo.NAMES))
    if unknown:
        raise SystemExit(f"models are {', '.join(bj.demo.NAMES)}; got {unknown}")
    digits = jax.tree.map(jnp.asarray, data.load())
    for name in config.models:
        result = train(name, config, digits)
        log = json.loads(config.log.read_text()) if config.log.exists() else {}
        config.log.write_text(json.dumps({**log, name: result}, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Config))

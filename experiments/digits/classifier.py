"""Trains the digits classifier whose features the Frechet distances are taken on.

    uv run python -m experiments.digits.classifier

Two convolutions and two dense layers, cross-entropy on the training digits, shifted by
up to a pixel and noised. The 64 numbers before the last layer are the features.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import bespoke_jax as bj
from bespoke_jax.demo import weights
from bespoke_jax.demo.unet import Conv3
from experiments.digits import data, models

FILE = models.WEIGHTS / "classifier.npz"


@dataclass(frozen=True)
class Config:
    iterations: int = 2000
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    noise: float = 0.1  # standard deviation, pixels on [-1, 1]
    seed: int = 0


class Classifier(nn.Module):
    """Features `(batch, 64)` of images `(batch, 8, 8, 1)`, and their class logits."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = nn.swish(Conv3(16)(x))
        batch, side, _, channels = h.shape
        h = h.reshape(batch, side // 2, 2, side // 2, 2, channels)
        h = h.transpose(0, 1, 3, 2, 4, 5).reshape(batch, side // 2, side // 2, -1)
        h = nn.swish(Conv3(32)(h))
        features = nn.swish(nn.Dense(64)(h.reshape(batch, -1)))
        return features, nn.Dense(models.CLASSES)(features)


@jax.jit
def outputs(params: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Features and class logits of images."""
    found: Any = Classifier().apply({"params": params}, x)
    return found


@lru_cache
def trained() -> Any:
    """The committed weights."""
    return weights.read(FILE.read_bytes()).params


def features(images: Any) -> np.ndarray:
    """Features `(count, 64)` of images in float64."""
    parts = (images[i : i + 512] for i in range(0, len(images), 512))
    found = (outputs(trained(), jnp.asarray(part))[0] for part in parts)
    return np.concatenate([np.asarray(part, np.float64) for part in found])


def classes(images: Any) -> np.ndarray:
    """The classes `(count,)` that the classifier sees in images."""
    return np.argmax(outputs(trained(), jnp.asarray(images))[1], axis=-1)


@lru_cache
def data_features() -> np.ndarray:
    """Features of all digits of the data set."""
    digits = data.load()
    return features(np.concatenate([digits.train, digits.validation]))


def frechet(images: Any) -> float:
    """Frechet distance of the features of samples to those of the data set."""
    return bj.metrics.frechet(features(images), data_features())


@partial(jax.jit, static_argnums=0)
def train(config: Config, params: Any, images: jax.Array, labels: jax.Array) -> Any:
    """The weights after AdamW with cosine decay, from initial ones."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.iterations)
    tx = optax.adamw(rate, weight_decay=config.weight_decay)

    def update(carry, key):
        params, moments = carry
        k_i, k_s, k_n = jax.random.split(key, 3)
        index = jax.random.randint(k_i, (config.batch_size,), 0, len(images))
        shift = jax.random.randint(k_s, (config.batch_size, 2), -1, 2)
        x = jax.vmap(lambda image, by: jnp.roll(image, by, (0, 1)))(
            images[index], shift
        )
        x = x + config.noise * jax.random.normal(k_n, x.shape)

        def loss(params):
            _, logits = outputs(params, x)
            cross = optax.softmax_cross_entropy_with_integer_labels
            return cross(logits, labels[index]).mean()

        change, moments = tx.update(jax.grad(loss)(params), moments, params)
        return (optax.apply_updates(params, change), moments), None

    keys = jax.random.split(jax.random.key(config.seed), config.iterations)
    return jax.lax.scan(update, (params, tx.init(params)), keys)[0][0]


def main(config: Config) -> None:
    digits = data.load()
    key = jax.random.key(config.seed + 1)
    params = Classifier().init(key, digits.train[:1])["params"]
    params = train(
        config, params, jnp.asarray(digits.train), jnp.asarray(digits.train_labels)
    )
    _, logits = outputs(params, jnp.asarray(digits.validation))
    right = np.argmax(logits, axis=-1) == digits.validation_labels
    record = {**asdict(config), "held_out_accuracy": float(right.mean())}
    FILE.parent.mkdir(exist_ok=True)
    weights.write(FILE, weights.Weights(params, record))
    print(f"{right.sum()} of {right.size} held-out digits right; wrote {FILE.name}")


if __name__ == "__main__":
    main(tyro.cli(Config))

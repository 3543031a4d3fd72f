"""scikit-learn's handwritten digits: 1797 images of 8x8 pixels, on [-1, 1]."""

from typing import Any, NamedTuple

import jax
import numpy as np
from sklearn.datasets import load_digits


class Digits(NamedTuple):
    """Images `(count, size, size, 1)` in float32: -1 is paper, 1 the darkest ink."""

    train: np.ndarray
    validation: np.ndarray
    train_labels: np.ndarray
    """(count,) the digit that each image shows."""
    validation_labels: np.ndarray


def load(*, size: int = 8, held_out: float = 0.1, seed: int = 0) -> Digits:
    """Loads and splits the digits; a pixel p in 0..16 becomes p / 8 - 1.

    `held_out` is the fraction kept for validation; `seed` draws which. A `size` other
    than 8 interpolates linearly.
    """
    archive: Any = load_digits()
    images = archive.images.astype(np.float32)[..., None] / 8 - 1
    labels = archive.target.astype(np.int32)
    if size != 8:
        images = jax.image.resize(images, (len(images), size, size, 1), "linear")
        images = np.asarray(images)
    order = np.random.default_rng(seed).permutation(len(images))
    count = round(held_out * len(images))
    first, last = order[count:], order[:count]
    return Digits(images[first], images[last], labels[first], labels[last])

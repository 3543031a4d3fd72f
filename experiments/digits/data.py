"""scikit-learn's handwritten digits: 1797 images of 8x8 pixels, on [-1, 1]."""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits


class Digits(NamedTuple):
    """Images `(count, 8, 8, 1)` in float32: -1 is paper, 1 the darkest ink."""

    train: np.ndarray
    validation: np.ndarray


def load(*, held_out: float = 0.1, seed: int = 0) -> Digits:
    """Loads and splits the digits; a pixel p in 0..16 becomes p / 8 - 1.

    `held_out` is the fraction kept for validation; `seed` draws which.
    """
    images = load_digits().images.astype(np.float32)[..., None] / 8 - 1
    order = np.random.default_rng(seed).permutation(len(images))
    count = round(held_out * len(images))
    return Digits(images[order[count:]], images[order[:count]])

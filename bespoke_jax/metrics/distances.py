"""Distances between two sets of samples or features, one vector per row.

Each is zero in expectation, or as the sets grow, exactly where the two laws agree (the
Frechet distance: where their means and covariances do). For images, take features.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Real

from bespoke_jax.core import checks
from bespoke_jax.core.types import Arr, Scalar

_ROWS = 256  # rows whose distances to the whole other set are held at a time


def frechet(x: Real[Arr, "n d"], y: Real[Arr, "m d"]) -> float:
    """Frechet distance between the normal laws fitted to two sets of features.

        |mu_x - mu_y|^2 + tr(C_x + C_y - 2 (C_x^{1/2} C_y C_x^{1/2})^{1/2})

    On the host in float64: the square roots of small eigenvalues lose half of float32's
    digits. Covariances are divided by n - 1; from finite samples the distance is biased
    upwards, so compare sets of one size.

    Args:
        x, y: n and m feature vectors, at least 2 of each.

    Raises:
        ValueError: fewer than two vectors, or vectors of different lengths.

    Reference: Dowson and Landau (1982); Heusel et al. (2017), arXiv 1706.08500.
    """
    a, b = (np.asarray(v, np.float64) for v in _pair("frechet", x, y))
    for name, v in (("x", a), ("y", b)):
        if not np.isfinite(v).all():
            raise ValueError(f"{name} of frechet has entries that are not finite.")
    c_a, c_b = (np.atleast_2d(np.cov(v, rowvar=False)) for v in (a, b))
    values, vectors = np.linalg.eigh(c_a)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ c_b @ root), 0)).sum()
    shift = np.sum((a.mean(0) - b.mean(0)) ** 2)
    return float(shift + np.trace(c_a) + np.trace(c_b) - 2 * cross)


class Extrapolated(NamedTuple):
    """A Frechet distance at infinitely many samples, and how it was found."""

    value: float
    """Intercept of the line through the distances against 1 / n."""
    sizes: tuple[int, ...]
    distances: tuple[float, ...]
    """Mean distance at each size; the last is that of all samples."""


def frechet_infinity(
    x: Real[Arr, "n d"],
    y: Real[Arr, "m d"],
    *,
    key: jax.Array,
    sizes: int = 6,
    repeats: int = 4,
) -> Extrapolated:
    """The Frechet distance of x to y without the bias of a finite x.

    The bias is proportional to 1 / n to first order: distances of random subsets of x,
    from n / 4 to n vectors, are fitted by a line in 1 / n. All of y is used.

    Args:
        x, y: as `frechet`; x with at least 8 (d + 1) vectors.
        key: source of the subsets.
        sizes: subset sizes, at least 2, evenly spaced in 1 / n.
        repeats: subsets of each size.

    Raises:
        ValueError: too few vectors for a covariance of every subset.

    Reference: Chong and Forsyth (2020), arXiv 1911.07023.
    """
    x, y = _pair("frechet_infinity", x, y)
    checks.random_key("key", key)
    sizes, repeats = (
        checks.whole("sizes", sizes, least=2),
        checks.whole("repeats", repeats),
    )
    n, d = x.shape
    if n < 8 * (d + 1):
        raise ValueError(
            f"frechet_infinity needs at least {8 * (d + 1)} vectors of {d} numbers; "
            f"got {n}."
        )
    inverse = np.linspace(4 / n, 1 / n, sizes)
    counts = np.round(1 / inverse).astype(int)
    host = np.asarray(x, np.float64)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
    means = []
    for count in counts:
        picks = (rng.choice(n, count, replace=False) for _ in range(repeats))
        # All of x is one subset only.
        subsets = [host] if count == n else [host[pick] for pick in picks]
        means.append(float(np.mean([frechet(subset, y) for subset in subsets])))
    _, value = np.polyfit(1 / counts, means, 1)
    return Extrapolated(float(value), tuple(counts.tolist()), tuple(means))


def sliced_wasserstein(
    x: Real[Arr, "n d"],
    y: Real[Arr, "m d"],
    *,
    key: jax.Array,
    projections: int = 256,
) -> jax.Array:
    """Sliced 2-Wasserstein distance: root mean square of W_2 over random directions.

        SW_2^2 = E_{|w| = 1} int_0^1 (F_{w.x}^{-1}(q) - F_{w.y}^{-1}(q))^2 dq

    Sets of different sizes are compared at the quantiles of the larger one.

    Reference: Rabin, Peyre, Delon and Bernot (2011); Bonneel et al. (2015).
    """
    x, y = _floats(*_pair("sliced_wasserstein", x, y))
    projections = checks.whole("projections", projections, most=10**6)
    return _sliced(x, y, checks.random_key("key", key), projections)


@partial(jax.jit, static_argnums=3)
def _sliced(x, y, key, projections):
    w = jax.random.normal(key, (projections, x.shape[1]), x.dtype)
    w = w / jnp.linalg.norm(w, axis=1, keepdims=True)
    size = max(len(x), len(y))

    def along(w):
        a, b = jnp.sort(x @ w), jnp.sort(y @ w)
        return jnp.mean((_quantiles(a, size) - _quantiles(b, size)) ** 2)

    return jnp.sqrt(jnp.mean(jax.lax.map(along, w)))


def _quantiles(values, size):
    if len(values) == size:
        return values
    middles = lambda n: (jnp.arange(n, dtype=values.dtype) + 0.5) / n
    return jnp.interp(middles(size), middles(len(values)), values)


def energy_distance(x: Real[Arr, "n d"], y: Real[Arr, "m d"]) -> jax.Array:
    """The energy distance, sqrt(2 E|X - Y| - E|X - X'| - E|Y - Y'|).

    Means over all pairs, a vector with itself included, as in scipy.stats for one
    dimension: never negative, and biased upwards by O(1 / n).

    Reference: Szekely and Rizzo (2013).
    """
    return _energy(*_floats(*_pair("energy_distance", x, y)))


@jax.jit
def _energy(x, y):
    distance = lambda square: jnp.sqrt(square)
    mean = partial(_mean_over_pairs, distance)
    return jnp.sqrt(jnp.maximum(2 * mean(x, y) - mean(x, x) - mean(y, y), 0.0))


def mmd(
    x: Real[Arr, "n d"], y: Real[Arr, "m d"], *, bandwidth: Scalar = 1.0
) -> jax.Array:
    """Squared maximum mean discrepancy with the kernel exp(-|x - y|^2 / (2 h^2)).

    E k(X, X') + E k(Y, Y') - 2 E k(X, Y) without the pairs of a vector with itself:
    unbiased, so that it can be negative where the laws agree.

    Args:
        x, y: at least two vectors each.
        bandwidth: h, of the order of typical distances.

    Reference: Gretton et al. (2012), equation 3.
    """
    if not isinstance(bandwidth, Tracer):
        bandwidth = checks.real("bandwidth", bandwidth, above=0)
    return _mmd(*_floats(*_pair("mmd", x, y)), bandwidth)


@jax.jit
def _mmd(x, y, bandwidth):
    mean = partial(_mean_over_pairs, lambda square: jnp.exp(-square / 2 / bandwidth**2))
    # k(x, x) = 1 for each of the n pairs of a vector with itself.
    own = lambda x: (mean(x, x) * len(x) - 1) / (len(x) - 1)
    return own(x) + own(y) - 2 * mean(x, y)


def _mean_over_pairs(f, x, y):
    """Mean of f(|x_i - y_j|^2) over all pairs."""
    row = lambda a: jnp.mean(f(jnp.sum((y - a[None]) ** 2, axis=1)))
    return jnp.mean(jax.lax.map(row, x, batch_size=min(_ROWS, len(x))))


def _pair(name: str, x: object, y: object) -> tuple[Arr, Arr]:
    """Both sets, after checking their form."""
    x, y = checks.samples("x", x), checks.samples("y", y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(
            f"{name} compares two sets of vectors, (n, d) and (m, d); got {x.shape} "
            f"and {y.shape}."
        )
    if min(len(x), len(y)) < 2:
        raise ValueError(
            f"{name} needs at least 2 vectors of each; got {len(x)} and {len(y)}."
        )
    return x, y


def _floats(x: Arr, y: Arr) -> tuple[jax.Array, jax.Array]:
    """Both sets in one floating-point type, float32 or better."""
    dtype = jnp.promote_types(jnp.result_type(x, y), jnp.float32)
    return jnp.asarray(x, dtype), jnp.asarray(y, dtype)

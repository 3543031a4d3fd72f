"""Weighted least squares for one row, from products that are sums over batches.

With features F_s (numbers, columns) and targets y_s of the samples s, the normal
equations need only G_s = F_s^T F_s / d, b_s = F_s^T y_s / d and |y_s|^2 / d, d numbers
in a sample: they are sums over its numbers, in float64, and weighting the samples anew
needs no further pass. Weights that depend on a condition of the sample, theta_s =
Theta phi_s, have the same equations in the numbers of Theta: F_s becomes the Kronecker
product of F_s and phi_s.

Reference: Holland and Welsch (1977), iteratively re-weighted least squares.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.calls import per_sample
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.types import Arr

_FLOOR = 1e-3
"""Errors below this share of the median have its weight."""


class Normal(NamedTuple):
    """The normal equations of each of N samples, for m columns."""

    G: np.ndarray
    """(N, m, m)."""
    b: np.ndarray
    """(N, m)."""
    y: np.ndarray
    """(N,) mean square of the targets."""

    def errors(self, weights: np.ndarray) -> np.ndarray:
        """(N,) RMS errors of a row: e^2 = y - 2 theta b + theta G theta."""
        square = self.y - 2 * self.b @ weights
        square = square + np.einsum("k,nkl,l->n", weights, self.G, weights)
        return np.sqrt(np.maximum(square, 0.0))

    def conditioned(self, phi: np.ndarray) -> "Normal":
        """Those of Theta, row by row: m K columns from m and phi (N, K)."""
        N, m = self.b.shape
        both = np.einsum("nkl,na,nb->nkalb", self.G, phi, phi)
        side = m * phi.shape[1]
        b = np.einsum("nk,na->nka", self.b, phi)
        return Normal(both.reshape(N, side, side), b.reshape(N, side), self.y)


class Products:
    """Named columns of samples, and the products of every pair that was asked for.

    Columns stay on their devices; N numbers of each pair come to the host.
    """

    def __init__(self) -> None:
        self._columns: dict[str, Arr] = {}
        self._known: dict[tuple[str, str], np.ndarray] = {}

    def copy(self) -> "Products":
        """The same columns and products, to which others can be added."""
        other = Products()
        other._columns, other._known = dict(self._columns), dict(self._known)
        return other

    def add(self, name: str, column: Arr) -> None:
        """A column (N, *shape); one of the same name is replaced."""
        self._columns[name] = column
        for pair in [pair for pair in self._known if name in pair]:
            del self._known[pair]

    def normal_equations(self, names: list[str], target: str) -> Normal:
        """Those of the target on the named columns."""
        self._multiply({_pair(k, l) for k in names for l in (*names, target)})
        self._multiply({(target, target)})
        G = np.stack(
            [np.stack([self._product(k, l) for l in names], -1) for k in names], -2
        )
        b = np.stack([self._product(k, target) for k in names], -1)
        return Normal(G, b, self._product(target, target))

    def combination(self, names: list[str], weights: np.ndarray) -> jax.Array:
        """sum_k weights_sk column_sk, (N, *shape) in the dtype of the columns.

        weights (m,), or (N, m) for samples with weights of their own.
        """
        first = self._columns[names[0]]
        w = np.broadcast_to(weights, (len(first), len(names)))
        with jax.enable_x64(True):
            total = _scaled(w[:, 0], first)
            for k, name in enumerate(names[1:], start=1):
                total = _added(total, w[:, k], self._columns[name])
            return total.astype(first.dtype)

    def _product(self, k: str, l: str) -> np.ndarray:
        """(N,) mean over the numbers of each sample of column k times column l."""
        return self._known[_pair(k, l)]

    def _multiply(self, pairs: set[tuple[str, str]]) -> None:
        """Compute the products of those pairs that are not known, and wait once."""
        new = sorted(pairs - set(self._known))
        with jax.enable_x64(True):
            made = [_mean_product(*(self._columns[k] for k in pair)) for pair in new]
            self._known.update(zip(new, to_host(made), strict=True))


def _pair(k: str, l: str) -> tuple[str, str]:
    return min(k, l), max(k, l)


# In float64, which every device computes in: the columns of a row are nearly dependent.


@jax.jit
def _mean_product(x, y):
    wide = x.astype(jnp.float64) * y.astype(jnp.float64)
    return jnp.mean(wide, axis=tuple(range(1, x.ndim)))


@jax.jit
def _scaled(w, x):
    return per_sample(w, x) * x.astype(jnp.float64)


@jax.jit
def _added(total, w, x):
    return total + _scaled(w, x)


def solve(
    normal: Normal,
    start: np.ndarray,
    *,
    ridge: float,
    rounds: int,
    robust: bool = False,
) -> np.ndarray:
    """The weights of the row, (m,).

        min_theta  sum_s w_s e_s(theta)^2 / sum_s w_s + ridge |scaled (theta - start)|^2

    Columns are scaled to mean square 1. The first solve has w_s = 1; each further round
    w_s = 1 / e_s, of which the fixed point minimises the mean of the errors, or, where
    the median is what counts, w_s = 1 / (e_s (1 + e_s / c)) with c their median.

    Args:
        normal: the normal equations of the samples.
        start: (m,) the prior's weights.
        ridge: relative weight of the prior, above 0.
        rounds: how often to weight the samples anew.
        robust: whether for the median.
    """
    scale = np.sqrt(np.maximum(normal.G.mean(0).diagonal(), np.finfo(float).tiny))
    w = np.ones(len(normal.y))
    weights = start
    for _ in range(rounds + 1):
        w = w / w.sum()
        H = np.einsum("n,nkl->kl", w, normal.G)
        gradient = np.einsum("n,nk->k", w, normal.b) - H @ start
        scaled = H / np.outer(scale, scale) + ridge * np.eye(len(scale))
        weights = start + np.linalg.solve(scaled, gradient / scale) / scale
        e = normal.errors(weights)
        middle = float(np.median(e))
        if middle == 0.0:
            break
        e = np.maximum(e, _FLOOR * middle)
        w = 1 / (e * (1 + e / middle)) if robust else 1 / e
    return weights

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

import numpy as np

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

    Args:
        like: (N, *shape), of the shape of every column.
        batch_size: samples that are widened to float64 together.
    """

    def __init__(self, like: np.ndarray, batch_size: int):
        self._shape, self._batch = like.shape, batch_size
        self._columns: dict[str, np.ndarray] = {}
        self._known: dict[tuple[str, str], np.ndarray] = {}

    def copy(self) -> "Products":
        """The same columns and products, to which others can be added."""
        other = Products.__new__(Products)
        other._shape, other._batch = self._shape, self._batch
        other._columns, other._known = dict(self._columns), dict(self._known)
        return other

    def add(self, name: str, column: np.ndarray) -> None:
        """A column (N, *shape); one of the same name is replaced."""
        self._columns[name] = column.reshape(self._shape[0], -1)
        for pair in [pair for pair in self._known if name in pair]:
            del self._known[pair]

    def normal_equations(self, names: list[str], target: str) -> Normal:
        """Those of the target on the named columns."""
        G = np.stack(
            [np.stack([self._product(k, l) for l in names], -1) for k in names], -2
        )
        b = np.stack([self._product(k, target) for k in names], -1)
        return Normal(G, b, self._product(target, target))

    def combination(self, names: list[str], weights: np.ndarray) -> np.ndarray:
        """sum_k weights_sk column_sk, (N, *shape) in the dtype of the columns.

        weights (m,), or (N, m) for samples with weights of their own.
        """
        total = sum(
            np.expand_dims(w, -1) * self._columns[name].astype(np.float64)
            for name, w in zip(names, weights.T, strict=True)
        )
        first = self._columns[names[0]]
        return np.asarray(total).astype(first.dtype).reshape(self._shape)

    def _product(self, k: str, l: str) -> np.ndarray:
        """(N,) mean over the numbers of each sample of column k times column l."""
        pair = (min(k, l), max(k, l))
        if pair not in self._known:
            x, y = (self._columns[name] for name in pair)
            parts = [
                np.einsum(
                    "nd,nd->n",
                    x[i : i + self._batch].astype(np.float64),
                    y[i : i + self._batch].astype(np.float64),
                )
                for i in range(0, len(x), self._batch)
            ]
            self._known[pair] = np.concatenate(parts) / x.shape[1]
        return self._known[pair]


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

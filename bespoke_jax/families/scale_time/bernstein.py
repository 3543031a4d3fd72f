"""Polynomials on [0, 1] in Bernstein form.

    p(r) = sum_k c_k B_{k,N}(r),    B_{k,N}(r) = binom(N, k) r^k (1 - r)^(N - k),
    p'(r) = N sum_k (c_{k+1} - c_k) B_{k,N-1}(r).

The B_{k,N} are positive on (0, 1) and add up to 1, so p(0) = c_0, p(1) = c_N, positive
coefficients make p positive, and increasing ones make it increasing.

Reference: Farouki (2012), The Bernstein polynomial basis: a centennial retrospective,
Computer Aided Geometric Design 29(6).
"""

import math

import numpy as np


def basis(degree: int, r: np.ndarray) -> np.ndarray:
    """B_{k,N}(r) for k = 0 .. N = `degree`: (nodes, N + 1) in float64."""
    k = np.arange(degree + 1)
    r = np.asarray(r, np.float64)[:, None]
    binomial = np.array([math.comb(degree, i) for i in k], np.float64)
    return binomial * r**k * (1 - r) ** (degree - k)


def elevated(coefficients: np.ndarray, degree: int) -> np.ndarray:
    """The coefficients of the same polynomial at `degree`, at least its own.

    c_k of degree N + 1 is a mean of two of degree N, (k c_{k-1} + (N + 1 - k) c_k)
    / (N + 1): signs and order of the coefficients are kept.
    """
    c = np.asarray(coefficients, np.float64)
    while len(c) <= degree:
        share = np.arange(len(c) + 1) / len(c)
        c = share * np.append(0.0, c) + (1 - share) * np.append(c, 0.0)
    return c

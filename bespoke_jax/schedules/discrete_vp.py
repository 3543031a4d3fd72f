"""The variance-preserving path of a model trained on discrete noise levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from bespoke_jax._types import Arr
from bespoke_jax.schedules._decay import DecayPath


@dataclass(frozen=True, repr=False)
class DiscreteVP(DecayPath):
    """VP through alpha_bar_1 > ... > alpha_bar_N, the cumulative products of a DDPM.

    Level n = 1..N (N the noisiest) sits at t = 1 - n / N with alpha = sqrt(alpha_bar_n)
    and sigma = sqrt(1 - alpha_bar_n); a network's integer timestep k = 0..N-1 is level
    n = k + 1. Between levels log(alpha) is linear in t. One more level, alpha = 1 at
    t=1, makes the path valid down to the data, where extending the last segment
    (as programs do that stop at n = 1) would give alpha > 1.

    `alphas_bar` is any array or sequence of shape (N,), stored as a tuple of floats.
    Raises ValueError unless it is one-dimensional, not empty, strictly decreasing and
    inside (0, 1). Ho et al., 2020, arXiv 2006.11239; interpolation as in DPM-Solver
    (Lu et al., 2022, arXiv 2206.00927, appendix D.4).
    """

    alphas_bar: Sequence[float] | Float[Arr, " N"]

    def __post_init__(self):
        bar = np.asarray(self.alphas_bar, np.float64)
        if bar.ndim != 1 or bar.size == 0:
            raise ValueError(
                "DiscreteVP: alphas_bar must be a non-empty one-dimensional array; "
                f"got shape {bar.shape}"
            )
        if not np.all((bar > 0) & (bar < 1)):
            worst = bar[~((bar > 0) & (bar < 1))][0]
            raise ValueError(
                f"DiscreteVP: alphas_bar must lie inside (0, 1); got {worst}"
            )
        rises = np.flatnonzero(np.diff(bar) >= 0)
        if rises.size:
            i = rises[0]
            raise ValueError(
                "DiscreteVP: alphas_bar must strictly decrease (noisiest last); got "
                f"alphas_bar[{i}] = {bar[i]} then {bar[i + 1]}. Pass the cumulative "
                "product of 1 - beta, in training order"
            )
        object.__setattr__(self, "alphas_bar", tuple(bar.tolist()))

    def __repr__(self):
        bar = self.alphas_bar
        return f"DiscreteVP({len(bar)} levels, {bar[0]:.6g} to {bar[-1]:.6g})"

    @cached_property
    def _decays(self):
        # T at n = 0..N.
        return np.concatenate([[0.0], -np.log(np.asarray(self.alphas_bar))])

    @cached_property
    def _deficits(self):
        return (self._decays[-1] - self._decays)[::-1]

    @property
    def _total(self):
        return float(self._decays[-1])

    def _decay(self, xp, t):
        return _between(xp, self._decays, 1 - t)

    def _deficit(self, xp, t):
        return _between(xp, self._deficits, t)

    def _time_at_decay(self, xp, T):
        return 1 - _position(xp, self._decays, T)

    def _time_at_deficit(self, xp, D):
        return _position(xp, self._deficits, D)


def _between(xp, table, x):
    """The table, whose entries are equally spaced over [0, 1], read linearly at x."""
    last = len(table) - 1
    x = x * last
    i = xp.clip(xp.floor(xp.real(x)), 0, last - 1).astype(int)
    dtype = xp.real(x).dtype
    left, rise = xp.asarray(table[:-1], dtype), xp.asarray(np.diff(table), dtype)
    return left[i] + (x - i) * rise[i]


def _position(xp, table, value):
    """Inverse of `_between`."""
    places = xp.linspace(0.0, 1.0, len(table), dtype=value.dtype)
    return xp.interp(value, xp.asarray(table, value.dtype), places)

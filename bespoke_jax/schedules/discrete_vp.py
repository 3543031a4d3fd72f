"""The variance-preserving path of a model trained on discrete noise levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from bespoke_jax.core.arrays import AnyTimes, as_times, namespace
from bespoke_jax.core.checks import numbers
from bespoke_jax.core.protocols import Values
from bespoke_jax.core.types import Arr
from bespoke_jax.schedules.closed_form import ClosedForm

_ROUNDING = 2.0**-24
"""Half of float32's spacing at 1: a time this close to a joint is that joint."""


class _Levels(NamedTuple):
    """Host tables over the levels n = 0..N (0 is the data)."""

    t: np.ndarray
    alpha: np.ndarray
    sigma2: np.ndarray
    nsr: np.ndarray
    log_snr: np.ndarray
    rise: np.ndarray  # (N,) T_{n+1} - T_n with T = -log(alpha^2)


class _Place(NamedTuple):
    """A time as its nearest level and the decay from there."""

    n: Values
    d: Values  # T - T_n
    ramp: Values | None  # below the last positive level of a zero-SNR path


@dataclass(frozen=True, repr=False)
class DiscreteVP(ClosedForm):
    """VP through alpha_bar_1 > ... > alpha_bar_N, the cumulative products of a DDPM.

    Level n = 1..N (N the noisiest) sits at t = 1 - n / N with alpha = sqrt(alpha_bar_n)
    and sigma = sqrt(1 - alpha_bar_n); a network's integer step k = 0..N-1 is level
    n = k + 1, see `time` and `step`. Between levels log(alpha) is linear in t. One more
    level, alpha = 1 at t=1, makes the path valid down to the data, where extending the
    last segment (as programs do that stop at n = 1) would give alpha > 1.

    The levels are `joints`: rates jump there. At a joint, and within 2^-24 of it (what
    float32 cannot tell from it), `rates` are those of the segment on the side of the
    data, into which a solver steps, in every precision. Values at a level are those of
    the table, rounded once.

    A zero terminal SNR (alpha_bar_N = 0) is a path with alpha = 0 at t=0, where alpha
    is linear in t over the first segment; a network that predicts noise cannot be used
    there. `zero_terminal_snr` makes one.

    `alphas_bar` is any array or sequence of shape (N,), stored as a tuple of floats.
    Raises ValueError unless it is one-dimensional, not empty, strictly decreasing and
    inside (0, 1), the last entry of two or more in [0, 1). Ho et al., 2020, arXiv
    2006.11239; interpolation as in DPM-Solver (Lu et al., 2022, arXiv 2206.00927,
    appendix D.4).
    """

    alphas_bar: Sequence[float] | Float[Arr, " N"]

    def __post_init__(self):
        given = numbers("DiscreteVP: alphas_bar", self.alphas_bar)
        bar = np.asarray(given, np.float64)
        if bar.ndim != 1 or bar.size == 0:
            raise ValueError(
                "DiscreteVP: alphas_bar must be a non-empty one-dimensional array; "
                f"got shape {bar.shape}"
            )
        inside = (bar > 0) & (bar < 1)
        inside[-1] |= bar[-1] == 0 and bar.size > 1
        if not np.all(inside):
            raise ValueError(
                "DiscreteVP: alphas_bar must lie inside (0, 1) (the last may be 0); "
                f"got {bar[~inside][0]}"
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

    @property
    def joints(self) -> np.ndarray:
        """The times inside (0, 1), (N - 1,), at which the rates jump, increasing."""
        return self._levels.t[-2:0:-1].copy()

    def time(self, step: object) -> Values:
        """Library time 1 - (k + 1) / N of the DDPM's integer steps k = 0..N-1.

        Raises ValueError for a step that is not an integer or is out of range.
        """
        k = np.asarray(numbers("DiscreteVP: steps", step))
        if not np.issubdtype(k.dtype, np.integer):
            raise ValueError(f"DiscreteVP: steps must be integers; got {step!r}")
        N = len(self.alphas_bar)
        outside = k[(k < 0) | (k >= N)]
        if outside.size:
            raise ValueError(
                f"DiscreteVP: steps must lie in 0..{N - 1}; got {outside.flat[0]}"
            )
        return self._levels.t[k + 1]

    def step(self, t: AnyTimes) -> Values:
        """The DDPM's step k = N (1 - t) - 1, the inverse of `time`.

        Exactly an integer at a level, fractional between levels, -1 at t=1. As the
        clock of a network: `from_prediction(..., time=schedule.step)`.
        """
        N = len(self.alphas_bar)
        n, off, _ = self._nearest(namespace(t), as_times(t), N)
        return (n - 1) - N * off

    @property
    def zero_snr(self) -> bool:
        """Whether the noisiest level holds no signal: alpha_bar_N = 0."""
        return bool(self.alphas_bar[-1] == 0)

    def zero_terminal_snr(self) -> "DiscreteVP":
        """The path with alpha_N = 0, alpha_1 kept and sqrt(alpha_bar) shifted between.

        sqrt(alpha_bar_n) <- (a_n - a_N) a_1 / (a_1 - a_N) with a_n = sqrt(alpha_bar_n).
        Lin et al., 2023, arXiv 2305.08891, algorithm 1.

        Raises ValueError for a single level.
        """
        a = np.sqrt(self.alphas_bar)
        if a.size == 1:
            raise ValueError("DiscreteVP: zero terminal SNR needs two or more levels")
        return DiscreteVP(((a - a[-1]) * (a[0] / (a[0] - a[-1]))) ** 2)

    @cached_property
    def _levels(self) -> _Levels:
        bar = np.concatenate([[1.0], self.alphas_bar])
        with np.errstate(divide="ignore"):
            nsr = np.sqrt((1 - bar) / bar)
            T, log_snr = -np.log(bar), -np.log(nsr)
        rise = np.diff(T)
        if self.zero_snr:
            rise[-1] = 2.0  # of log(alpha^2) at the upper end of the linear segment
        t = 1 - np.arange(bar.size) / (bar.size - 1)
        return _Levels(t, np.sqrt(bar), 1 - bar, nsr, log_snr, rise)

    @property
    def _last(self) -> int:
        """The noisiest level of positive SNR."""
        return len(self.alphas_bar) - self.zero_snr

    def _nearest(self, xp, t, last):
        """Nearest level n <= last, t - t_n (0 within rounding), and if a joint."""
        real, N = xp.real(t), len(self.alphas_bar)
        n = xp.clip(xp.round((1 - real) * N), 0, last).astype(int)
        exact = self._levels.t
        high = exact.astype(real.dtype)
        # t - high is exact, and low is what the level itself lost to rounding.
        low = xp.asarray((exact - high).astype(real.dtype))
        off = real - xp.asarray(high)[n]
        same = xp.abs(off) <= xp.finfo(real.dtype).eps * real
        joint = xp.abs(off) <= _ROUNDING
        return n, xp.where(same, 0, off - low[n]), joint

    def _place(self, xp, t) -> _Place:
        N = len(self.alphas_bar)
        still = np.real(t) if xp is np else jax.lax.stop_gradient(t)
        n, off, joint = self._nearest(xp, still, self._last)
        rise = xp.asarray(self._levels.rise, still.dtype)
        segment = lambda later: rise[xp.clip(xp.where(later, n - 1, n), 0, N - 1)]
        # The value is that of its own segment, the slope that of the joint's side.
        own, slope = segment(off > 0), segment((off > 0) | joint)
        ramp = (off < 0) & ~joint & (n == N - 1) if self.zero_snr else None
        return _Place(n, -N * (off * own + slope * (t - still)), ramp)

    @property
    def _gain(self) -> float:
        """d alpha / dt of the linear segment."""
        return float(self._levels.alpha[-2]) * len(self.alphas_bar)

    def _ramp(self, xp, t, ramp):
        """alpha of the linear segment, and elsewhere a harmless value."""
        return self._gain * xp.where(ramp, t, 0.5 / len(self.alphas_bar))

    def _path(self, xp, t):
        n, d, ramp = self._place(xp, t)
        read = lambda table: xp.asarray(table, xp.real(t).dtype)[n]
        alpha = read(self._levels.alpha)
        # sigma^2 = sigma_n^2 - alpha_n^2 (exp(-d) - 1)
        more = read(self._levels.alpha**2) * xp.expm1(-d)
        alpha, sigma = (
            alpha * xp.exp(-d / 2),
            xp.sqrt(read(self._levels.sigma2) - more),
        )
        if ramp is None:
            return alpha, sigma
        a = self._ramp(xp, t, ramp)
        return (
            xp.where(ramp, a, alpha),
            xp.where(ramp, xp.sqrt((1 - a) * (1 + a)), sigma),
        )

    def _drop(self, xp, t):
        """Next to the data (n = 0) the decay T; elsewhere delta = log(nsr / nsr_n)."""
        n, d, ramp = self._place(xp, t)
        data = n == 0
        T = xp.where(data, d, 1)
        sigma2 = xp.asarray(self._levels.sigma2, xp.real(t).dtype)[n]
        z = xp.expm1(xp.where(data, 0, d)) / xp.where(data, 1, sigma2)
        return n, data, T, 0.5 * xp.log1p(z), ramp

    def _nsr(self, xp, t):
        n, data, T, delta, ramp = self._drop(xp, t)
        level = xp.asarray(self._levels.nsr, delta.dtype)[n]
        nsr = xp.where(data, xp.sqrt(xp.expm1(T)), level + level * xp.expm1(delta))
        if ramp is None:
            return nsr
        a = self._ramp(xp, t, ramp)
        return xp.where(ramp, xp.sqrt((1 - a) * (1 + a)) / a, nsr)

    def _log_snr(self, xp, t):
        n, data, T, delta, ramp = self._drop(xp, t)
        level = xp.asarray(self._levels.log_snr, delta.dtype)[n]
        value = xp.where(data, -0.5 * xp.log(xp.expm1(T)), level - delta)
        if ramp is None:
            return value
        a = self._ramp(xp, t, ramp)
        return xp.where(ramp, xp.log(a) - 0.5 * xp.log1p(-a * a), value)

    def _time(self, xp, n, delta):
        """The time noise ratio exp(delta) times that of level n, in segment n - 1."""
        read = lambda table: xp.asarray(table, delta.dtype)
        d = xp.log1p(read(self._levels.sigma2)[n] * xp.expm1(2 * delta))
        off = -d / (len(self.alphas_bar) * read(self._levels.rise)[n - 1])
        high = self._levels.t.astype(delta.dtype)
        low = read(self._levels.t - high)
        t = read(high)[n] + (low[n] + off)
        return xp.where(t < 0, 0, xp.where(t > 1, 1, t))

    def _time_at_nsr(self, xp, r):
        table = xp.asarray(self._levels.nsr, r.dtype)
        n = xp.clip(xp.searchsorted(table, r), 1, self._last)
        # Beyond an end answers that end.
        held = xp.where(r > table[n], table[n], xp.where(r < 0, 0, r))
        t = self._time(xp, n, xp.log1p((held - table[n]) / table[n]))
        t = xp.where(r <= 0, 1, t)
        if not self.zero_snr:
            return t
        a = 1 / xp.sqrt(1 + xp.where(r > table[n], r, 1) ** 2)
        return xp.where(r > table[n], self._on_ramp(a), t)

    def _time_at_log_snr(self, xp, l):
        table = xp.asarray(self._levels.log_snr, l.dtype)
        n = xp.clip(xp.searchsorted(-table, -l), 1, self._last)
        held = xp.where(l < table[n], table[n], l)
        t = self._time(xp, n, table[n] - held)
        t = xp.where(l == np.inf, 1, t)
        if not self.zero_snr:
            return t
        a = xp.exp(xp.where(l < table[n], l, 0))
        return xp.where(l < table[n], self._on_ramp(a / xp.sqrt(1 + a * a)), t)

    def _on_ramp(self, alpha):
        return alpha / self._gain

"""Paths in closed form, written once over NumPy and JAX.

A path writes its formulas with an array namespace `xp`; the public methods choose it
from their argument. Derivatives come from the same formulas: by `jvp` under JAX, and on
the host by the complex step f'(t) = Im f(t + i h) / h, which subtracts nothing and is
therefore exact to rounding (Squire and Trapp, 1998). For its sake the formulas of
`_path` branch on `xp.real(t)` and use functions that NumPy defines for complex numbers.
"""

import abc

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.arrays import AnyTimes, as_times, namespace
from bespoke_jax.core.checks import real
from bespoke_jax.core.protocols import Pair, Values

_STEP = 1e-100


def _evaluate(formula, value):
    # Infinite values at the ends (nsr of CondOT at t=0) are expected: do not warn.
    with np.errstate(divide="ignore", over="ignore"):
        return formula(namespace(value), as_times(value))


def _complex_step(formula, t):
    def slope(value):
        slope = np.imag(value) / _STEP
        # Where sigma leaves 0 like a square root, the step answers h^(-1/2) = 1e50.
        return np.where(np.abs(slope) > 1e30, np.copysign(np.inf, slope), slope)

    alpha, sigma = formula(np, t + 1j * _STEP)
    return slope(alpha), slope(sigma)


class ClosedForm(abc.ABC):
    """A Gaussian path; subclasses supply the formulas, each for a namespace `xp`."""

    @abc.abstractmethod
    def _path(self, xp, t) -> Pair: ...

    @abc.abstractmethod
    def _nsr(self, xp, t) -> Values: ...

    @abc.abstractmethod
    def _log_snr(self, xp, t) -> Values: ...

    @abc.abstractmethod
    def _time_at_nsr(self, xp, r) -> Values: ...

    @abc.abstractmethod
    def _time_at_log_snr(self, xp, l) -> Values: ...

    def __call__(self, t: AnyTimes) -> Pair:
        """`(alpha, sigma)` at times t in [0, 1], of the shape of t."""
        return _evaluate(self._path, t)

    def rates(self, t: AnyTimes) -> Pair:
        """`(d alpha / dt, d sigma / dt)`, exact derivatives of `schedule(t)`.

        At t=1 the variance-preserving paths have d sigma / dt = -inf.
        """

        def derivative(xp, t):
            if xp is np:
                return _complex_step(self._path, t)
            path = lambda t: self._path(xp, t)
            return jax.jvp(path, (t,), (jnp.ones_like(t),))[1]

        return _evaluate(derivative, t)

    def nsr(self, t: AnyTimes) -> Values:
        """Noise-to-signal ratio sigma / alpha, decreasing; may be inf at t=0."""
        return _evaluate(self._nsr, t)

    def log_snr(self, t: AnyTimes) -> Values:
        """Half log-SNR log(alpha / sigma) = -log(nsr), increasing."""
        return _evaluate(self._log_snr, t)

    def time_at_nsr(self, value: AnyTimes) -> Values:
        """Exact inverse of `nsr`; a ratio beyond an end answers that end.

        Where nsr(0) is finite (VP, DiscreteVP, EDM), neighbouring float32 ratios are
        some 1e-8 apart in time, so that t < 1e-3 comes back with that absolute error
        and not with a relative one; t=0 itself comes back exactly.
        """
        return _evaluate(self._time_at_nsr, value)

    def time_at_log_snr(self, value: AnyTimes) -> Values:
        """Exact inverse of `log_snr`, with the limits of `time_at_nsr`."""
        return _evaluate(self._time_at_log_snr, value)


class RatioPath(ClosedForm):
    """A path with alpha_0 = 0, whose ratio alone is accurate at both ends."""

    def _log_snr(self, xp, t):
        return -xp.log(self._nsr(xp, t))

    def _time_at_log_snr(self, xp, l):
        return self._time_at_nsr(xp, xp.exp(-l))


def positive(path: object, *names: str) -> None:
    """Hold the named parameters of a path as Python numbers.

    Raises ValueError unless every one is a finite number above 0.
    """
    for name in names:
        value = getattr(path, name)
        number = real(f"{type(path).__name__}: {name}", value, above=0)
        if not isinstance(value, float | int):  # of NumPy or JAX
            object.__setattr__(path, name, number)

"""The base class of a user's own schedule."""

import abc

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.arrays import AnyTimes, as_times, namespace
from bespoke_jax.core.protocols import Pair, Values
from bespoke_jax.schedules.host import on_host
from bespoke_jax.schedules.inverse import time_at


class Path(abc.ABC):
    """A Gaussian path given by alpha(t) and sigma(t) alone.

    A subclass writes two functions of library time (0 is noise, 1 is data) with
    `jax.numpy`, elementwise, for times of any shape:

        @dataclass(frozen=True)
        class Mine(schedules.Path):
            def alpha(self, t):
                return t * (2 - t)

            def sigma(self, t):
                return 1 - t

    sigma / alpha must fall from t=0 to t=1. Everything else follows: rates by forward
    differentiation, the ratios, and their inverses by bracketing (to rounding, at some
    500 evaluations of the formulas; differentiable). Formulas are evaluated in float64
    on the host and in the argument's precision on the device, so that near the data
    sigma should not be a difference of large numbers: sin(pi (1 - t) / 2), not
    sqrt(1 - alpha^2).

    Instances are static: a frozen dataclass of plain numbers compares by value, and new
    instances of it do not recompile. `schedules.check` verifies one.
    """

    @abc.abstractmethod
    def alpha(self, t: Values) -> Values:
        """The weight of the data, from small or 0 to 1."""

    @abc.abstractmethod
    def sigma(self, t: Values) -> Values:
        """The weight of the noise."""

    def _path(self, t):
        like = lambda value: jnp.broadcast_to(jnp.asarray(value, t.dtype), t.shape)
        return like(self.alpha(t)), like(self.sigma(t))

    def _rates(self, t):
        return jax.jvp(self._path, (t,), (jnp.ones_like(t),))[1]

    def _nsr(self, t):
        alpha, sigma = self._path(t)
        return sigma / alpha

    def _log_snr(self, t):
        alpha, sigma = self._path(t)
        return jnp.log(alpha) - jnp.log(sigma)

    def __call__(self, t: AnyTimes) -> Pair:
        """`(alpha, sigma)` at times t in [0, 1], of the shape of t."""
        return _evaluate(self._path, t)

    def rates(self, t: AnyTimes) -> Pair:
        """`(d alpha / dt, d sigma / dt)` by forward differentiation."""
        return _evaluate(self._rates, t)

    def nsr(self, t: AnyTimes) -> Values:
        """Noise-to-signal ratio sigma / alpha, decreasing; may be inf at t=0."""
        return _evaluate(self._nsr, t)

    def log_snr(self, t: AnyTimes) -> Values:
        """Half log-SNR log(alpha / sigma) = -log(nsr), increasing."""
        return _evaluate(self._log_snr, t)

    def time_at_nsr(self, value: AnyTimes) -> Values:
        """Inverse of `nsr`; a ratio beyond an end answers that end."""
        return _evaluate(lambda r: time_at(self._log_snr, -jnp.log(r)), value)

    def time_at_log_snr(self, value: AnyTimes) -> Values:
        """Inverse of `log_snr`; a value beyond an end answers that end."""
        return _evaluate(lambda l: time_at(self._log_snr, l), value)


def _evaluate(formula, value):
    if namespace(value) is np:
        return on_host(lambda t: formula(jnp.asarray(t)), value)
    return formula(as_times(value))

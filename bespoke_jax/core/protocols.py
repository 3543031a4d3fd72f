"""What a velocity field and a schedule are to the library.

This module does not import JAX, so that reading a card or listing solvers is quick.
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class VelocityField(Protocol):
    """The right-hand side of the sampling ODE, dx/dt = u(t, x)."""

    def __call__(self, t: Any, x: Any, c: Any = None, /) -> Any:
        """Velocity at time t (scalar or `(batch,)`), state x `(batch, *shape)`."""
        ...


@runtime_checkable
class Schedule(Protocol):
    """The Gaussian path x_t = alpha_t x_1 + sigma_t x_0 of a model.

    Methods act elementwise on times of any shape and are called with NumPy float64
    arrays on the host and with JAX arrays and tracers elsewhere; `jax.numpy` serves
    both. A path whose rates jump at known times inside (0, 1) has them, increasing, in
    an attribute `joints`. `schedules.check` verifies that the methods agree.
    """

    def __call__(self, t: Any, /) -> tuple[Any, Any]:
        """`(alpha, sigma)` at times t."""
        ...

    def rates(self, t: Any, /) -> tuple[Any, Any]:
        """`(d alpha / dt, d sigma / dt)` at times t."""
        ...

    def log_snr(self, t: Any, /) -> Any:
        """log(alpha / sigma) at times t."""
        ...

    def nsr(self, t: Any, /) -> Any:
        """sigma / alpha at times t."""
        ...

    def time_at_log_snr(self, value: Any, /) -> Any:
        """Inverse of `log_snr`."""
        ...

    def time_at_nsr(self, value: Any, /) -> Any:
        """Inverse of `nsr`."""
        ...

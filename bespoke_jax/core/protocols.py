"""What a velocity field and a schedule are to the library.

This module does not import JAX, so that reading a card or listing solvers is quick.
"""

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import jax
    import numpy as np

Values = Any
"""Times and what schedules return for them: floating-point, in the shape of the
argument. A JAX array for a JAX array, and NumPy float64 for numbers and NumPy arrays, a
scalar for a scalar. Which of them is not known to static types."""

Pair = tuple[Values, Values]
"""alpha and sigma, or their rates."""


@runtime_checkable
class VelocityField(Protocol):
    """The right-hand side of the sampling ODE, dx/dt = u(t, x).

    Called as `field(t, x)`, and as `field(t, x, c)` where there is conditioning, with
    t `(batch,)`, x `(batch, *shape)` and c a pytree whose leaves have leading axis
    batch. The signature is open because a function of two arguments is a field too;
    `core.calls.evaluate` checks what a field returns.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> "jax.Array | np.ndarray":
        """The velocity, in the shape of x."""
        ...


@runtime_checkable
class Schedule(Protocol):
    """The Gaussian path x_t = alpha_t x_1 + sigma_t x_0 of a model.

    Methods act elementwise on times of any shape and are called with NumPy float64
    arrays on the host and with JAX arrays and tracers elsewhere; `jax.numpy` serves
    both. A path whose rates jump at known times inside (0, 1) lists them, increasing,
    in an attribute `joints`. `schedules.check` verifies that the methods agree.
    """

    def __call__(self, t: Values, /) -> Pair:
        """`(alpha, sigma)` at times t."""
        ...

    def rates(self, t: Values, /) -> Pair:
        """`(d alpha / dt, d sigma / dt)` at times t."""
        ...

    def log_snr(self, t: Values, /) -> Values:
        """log(alpha / sigma) at times t."""
        ...

    def nsr(self, t: Values, /) -> Values:
        """sigma / alpha at times t."""
        ...

    def time_at_log_snr(self, value: Values, /) -> Values:
        """Inverse of `log_snr`."""
        ...

    def time_at_nsr(self, value: Values, /) -> Values:
        """Inverse of `nsr`."""
        ...

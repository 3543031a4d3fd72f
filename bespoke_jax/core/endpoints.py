"""The two endpoints that one evaluation implies, and changes of the schedule.

On the path x = alpha x_1 + sigma x_0 the velocity is u = alpha' x_1 + sigma' x_0, so
that state and velocity give the data x_1 and the noise x_0 and the other way round. The
determinant of the two equations is

    W = sigma alpha' - alpha sigma' = sigma^2 d(alpha / sigma) / dt > 0,

positive because the signal-to-noise ratio rises from noise (t=0) to data (t=1).

Everything here works on NumPy arrays, JAX arrays and numbers alike; `data` and `noise`
also take the symbols of `core.tracing`.
"""

from typing import NamedTuple

from bespoke_jax.core.arrays import AnyTimes, namespace
from bespoke_jax.core.protocols import Pair, Schedule, Values


class Endpoints(NamedTuple):
    """A path at some times: alpha, sigma and their rates, shaped to multiply a state.

    Here x_0 is the noise prediction epsilon; x and u are those of one evaluation:
    arrays, numbers or, for `data` and `noise`, symbols.
    """

    alpha: Values
    sigma: Values
    d_alpha: Values
    d_sigma: Values

    @property
    def W(self) -> Values:
        """sigma alpha' - alpha sigma'; infinite where a rate is (t=1 of VP paths)."""
        return self.sigma * self.d_alpha - self.alpha * self.d_sigma

    def data(self, x: Values, u: Values) -> Values:
        """x_1 = (sigma u - sigma' x) / W."""
        return (self.sigma * u - self.d_sigma * x) / self.W

    def noise(self, x: Values, u: Values) -> Values:
        """x_0 = (alpha' x - alpha u) / W."""
        return (self.d_alpha * x - self.alpha * u) / self.W

    @property
    def from_data(self) -> Pair:
        """(beta, gamma) of u = beta x + gamma x_1: sigma' / sigma and W / sigma."""
        return self.d_sigma / self.sigma, self.W / self.sigma

    @property
    def from_noise(self) -> Pair:
        """(beta, gamma) of u = beta x + gamma x_0: alpha' / alpha and -W / alpha."""
        return self.d_alpha / self.alpha, -self.W / self.alpha


class Change(NamedTuple):
    """A change of schedule: u_new(r, y) = growth y + gain u_old(t, y / scale)."""

    scale: Values
    """s = sigma_new / sigma_old = alpha_new / alpha_old, where y(r) = s x(t)."""
    growth: Values
    """s' / s, a rate in r."""
    gain: Values
    """t' s, with t' = dt/dr."""


def at(schedule: Schedule, t: AnyTimes) -> Endpoints:
    """The values and rates of a schedule at times t, in the shape of t."""
    return Endpoints(*schedule(t), *schedule.rates(t))


def change(old: Endpoints, new: Endpoints) -> Change:
    """The scale and rates that take a path at t to another one at r of equal SNR.

        s = sigma_new(r) / sigma_old(t) = alpha_new(r) / alpha_old(t),
        t' = W_new(r) / (s^2 W_old(t))

    These rates keep the data and the noise prediction. Unlike the derivative of the
    inverse of the log-SNR they stay finite where the SNR is 0.

    Shaul et al., 2024, arXiv 2310.19075, theorem 2.3 and equation 16.

    Args:
        old: the path of the model at times t.
        new: the other path at the times r with the same sigma / alpha.
    """
    xp = namespace(old.alpha)
    # Of two equal quotients take the one whose denominator is not small.
    noisy = old.alpha < old.sigma
    pick = lambda path: xp.where(noisy, path[0], path[1])
    near, new_near = (pick((p.sigma, p.alpha)) for p in (old, new))
    scale = new_near / near
    gain = new.W / (scale * old.W)
    rate = pick((new.d_sigma, new.d_alpha)) - gain * pick((old.d_sigma, old.d_alpha))
    return Change(scale, rate / new_near, gain)

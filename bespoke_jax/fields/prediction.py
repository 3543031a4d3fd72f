"""Predictions as velocity fields, and velocity fields as predictions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from bespoke_jax._types import BatchTime, Conditioning, Schedule, State
from bespoke_jax.core.calls import as_field, evaluate, to_batch
from bespoke_jax.fields.base import as_callable, check_name, coefficients


# Each kind: (beta, gamma) of u = beta x + gamma out, from alpha = a, sigma = s and
# their rates. Only the divisions that the algebra leaves are made, so each form is as
# regular as its prediction: noise and score divide by alpha, data by sigma, the others
# by neither.
def _noise(a, s, da, ds, sd):
    return da / a, (ds * a - s * da) / a


def _data(a, s, da, ds, sd):
    return ds / s, (da * s - ds * a) / s


def _velocity(a, s, da, ds, sd):
    return jnp.zeros_like(a), jnp.ones_like(a)


def _v(a, s, da, ds, sd):
    r = a**2 + s**2
    return (a * da + s * ds) / r, (ds * a - s * da) / r


def _score(a, s, da, ds, sd):
    return da / a, -s * (ds * a - s * da) / a


def _edm(a, s, da, ds, sd):
    # D = c_skip x/alpha + c_out F put into the data form; sigma cancels.
    r = s**2 + (a * sd) ** 2
    return (s * ds + sd**2 * a * da) / r, sd * (s * da - ds * a) / jnp.sqrt(r)


_KINDS: dict[str, Callable] = {
    "noise": _noise,
    "data": _data,
    "velocity": _velocity,
    "v": _v,
    "score": _score,
    "edm": _edm,
}
_DIVIDE_BY_ALPHA = ("noise", "score")

_TIMES: dict[str, Callable] = {
    "t": lambda t, schedule: t,
    "1-t": lambda t, schedule: 1 - t,
    "999t": lambda t, schedule: 999 * t,
    "1000t": lambda t, schedule: 1000 * t,
    "999(1-t)": lambda t, schedule: 999 * (1 - t),
    "1000(1-t)": lambda t, schedule: 1000 * (1 - t),
    "1000(1-t)-1": lambda t, schedule: 1000 * (1 - t) - 1,
    "sigma": lambda t, schedule: schedule.nsr(t),
    "log_sigma/4": lambda t, schedule: -schedule.log_snr(t) / 4,
}
_INFINITE_AT_0 = ("sigma", "log_sigma/4")


@dataclass(frozen=True)
class _Prediction:
    schedule: Schedule
    kind: str
    time: str | None
    sigma_data: float
    start: float

    def __call__(
        self,
        network: Callable,
        clock: Callable | None,
        t: BatchTime,
        x: State,
        c: Conditioning = None,
    ) -> State:
        t = to_batch(t, x)
        late = jnp.maximum(t, self.start) if self.start > 0 else t
        t = late if self.kind in _DIVIDE_BY_ALPHA else t
        if self.time is None:
            assert clock is not None
            tau = clock(t)
        else:
            tau = _TIMES[self.time](
                late if self.time in _INFINITE_AT_0 else t, self.schedule
            )
        alpha, sigma, d_alpha, d_sigma = coefficients(self.schedule, t, x)
        beta, gamma = _KINDS[self.kind](alpha, sigma, d_alpha, d_sigma, self.sigma_data)
        # c_in x/alpha of Karras et al., with alpha cancelled.
        radius = jnp.sqrt(sigma**2 + (alpha * self.sigma_data) ** 2)
        network_x = (x / radius).astype(x.dtype) if self.kind == "edm" else x
        out = evaluate(network, to_batch(tau, x), network_x, c)
        return (beta * x + gamma * out).astype(x.dtype)


def from_prediction(
    network: Any,
    schedule: Schedule,
    kind: str = "noise",
    *,
    time: str | Callable = "t",
    sigma_data: float = 0.5,
    min_log_snr: float = -5.1,
) -> Partial:
    """The velocity field u = alpha' x_1 + sigma' eps of a network that predicts

        "noise"     eps                 u = (a'/a) x + ((s'a - s a')/a) eps
        "data"      x_1                 u = (s'/s) x + ((a's - s'a)/s) x_1
        "velocity"  u
        "v"         a eps - s x_1       x_1 = (a x - s v)/(a^2 + s^2)
        "score"     -eps/s              u = (a'/a) x - s ((s'a - s a')/a) score
        "edm"       F of D = c_skip x/a + c_out F(c_in x/a),  D = x_1

    with a = alpha_t, s = sigma_t. For "edm" the preconditioning is that of Karras et
    al. at noise level s/a; the network sees x / sqrt(s^2 + (a sigma_data)^2), and
    nothing is divided by a or s. The other kinds see x.

    Noise and score forms divide by alpha. Where alpha starts at 0 (CondOT, Cosine,
    CosineVP) their field is frozen at the noise end: it is evaluated at
    max(t, time_at_log_snr(min_log_snr)), the clip of DPM-Solver. VP(0.1, 20) starts at
    log SNR -5.02 and VE never divides, so neither is touched. At t = 1 the noise, data
    and score forms are singular under most schedules: end before it.

    Args:
      network: `network(tau, x)` or `network(tau, x, c)`, tau `(batch,)`; a function or
        a pytree such as `from_flax` returns.
      schedule: the path the network was trained on.
      kind: one of the names above.
      time: the time tau that the network expects: "t", "1-t", "999t", "1000t",
        "999(1-t)", "1000(1-t)", "1000(1-t)-1" (index of a discrete DDPM), "sigma" (the
        noise-to-signal ratio), "log_sigma/4" (its log over 4, as EDM networks take it),
        or a function of t. The last two names are held at `min_log_snr` as well.
      sigma_data: standard deviation of the data, for "edm".
      min_log_snr: log(alpha/sigma) below which to freeze; `-inf` for never.

    Raises:
      ValueError: for an unknown kind or time.

    Reference: Salimans and Ho (2022), arXiv 2202.00512, appendix D; Karras et al.
    (2022), arXiv 2206.00364, equation 7; Shaul et al. (2024), arXiv 2310.19075,
    equation 23; Lu et al. (2022), arXiv 2206.00927.
    """
    network = as_field(network)
    check_name("kind", kind, _KINDS)
    if isinstance(time, str):
        check_name("time", time, _TIMES)
        name, clock = time, None
    else:
        name, clock = None, as_callable(time, "time")
    start = _frozen_before(schedule, float(min_log_snr))
    if kind in _DIVIDE_BY_ALPHA and getattr(schedule, "zero_snr", False):
        raise ValueError(
            f"kind {kind!r} says nothing of the data at the zero terminal SNR of this "
            "schedule; such networks are of kind 'v' or 'data'"
        )
    return Partial(
        _Prediction(schedule, kind, name, float(sigma_data), start), network, clock
    )


def _frozen_before(schedule: Schedule, min_log_snr: float) -> float:
    # A concrete number even where a jitted function makes the field.
    with jax.ensure_compile_time_eval():
        zero = jnp.zeros(())
        if schedule(zero)[0] >= 1 or schedule.log_snr(zero) >= min_log_snr:
            return 0.0
        return float(schedule.time_at_log_snr(jnp.asarray(min_log_snr)))


@dataclass(frozen=True)
class _Endpoint:
    schedule: Schedule
    kind: str

    def __call__(
        self, field: Callable, t: BatchTime, x: State, c: Conditioning = None
    ) -> State:
        t = to_batch(t, x)
        u = evaluate(field, t, x, c)
        alpha, sigma, d_alpha, d_sigma = coefficients(self.schedule, t, x)
        w = sigma * d_alpha - alpha * d_sigma
        if self.kind == "data":
            return ((sigma * u - d_sigma * x) / w).astype(x.dtype)
        return ((d_alpha * x - alpha * u) / w).astype(x.dtype)


def data_prediction(field: Any, schedule: Schedule) -> Partial:
    """The data prediction `(t, x, c=None) -> x_1` of a velocity field.

        x_1 = (sigma u - sigma' x) / W,    W = sigma alpha' - alpha sigma'

    Raises:
      ValueError: when `field` is not a field.
    """
    return Partial(_Endpoint(schedule, "data"), as_field(field))


def noise_prediction(field: Any, schedule: Schedule) -> Partial:
    """The noise prediction `(t, x, c=None) -> eps` of a velocity field.

        eps = (alpha' x - alpha u) / W,    W = sigma alpha' - alpha sigma'

    Raises:
      ValueError: when `field` is not a field.
    """
    return Partial(_Endpoint(schedule, "noise"), as_field(field))

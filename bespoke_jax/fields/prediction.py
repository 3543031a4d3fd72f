"""Predictions as velocity fields, and velocity fields as predictions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.tree_util import Partial

from bespoke_jax.core import checks
from bespoke_jax.core.calls import FieldError, as_field, evaluate, to_batch
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.types import BatchTime, Conditioning, State
from bespoke_jax.fields.base import as_callable, coefficients, with_time
from bespoke_jax.fields.kinds import (
    DIVIDE_BY_ALPHA,
    INFINITE_AT_0,
    KINDS,
    SIGNS,
    TIMES,
    level_steps,
    levels,
    singular_at_data,
)
from bespoke_jax.fields.knowledge import agree, jumps_of, preimages, schedule_of


@dataclass(frozen=True)
class _Prediction:
    schedule: Schedule
    kind: str
    time: str | None
    sigma_data: float
    start: float

    def __call__(
        self,
        network: VelocityField,
        clock: Callable | None,
        t: BatchTime,
        x: State,
        c: Conditioning = None,
    ) -> State:
        t = to_batch(t, x)
        if not isinstance(t, Tracer) and (t >= 1).any():
            self.check_data_end()
        late = jnp.maximum(t, self.start) if self.start > 0 else t
        t = late if self.kind in DIVIDE_BY_ALPHA else t
        if self.time is None:
            assert clock is not None
            tau = clock(t)
        else:
            tau = TIMES[self.time](
                late if self.time in INFINITE_AT_0 else t, self.schedule
            )
        path = coefficients(self.schedule, t, x)
        beta, gamma = KINDS[self.kind](path, self.sigma_data)
        # c_in x/alpha of Karras et al., with alpha cancelled.
        radius = jnp.sqrt(path.sigma**2 + (path.alpha * self.sigma_data) ** 2)
        network_x = (x / radius).astype(x.dtype) if self.kind == "edm" else x
        out = evaluate(with_time(network, tau), t, network_x, c)
        return (beta * x + gamma * out).astype(x.dtype)

    def check_data_end(self) -> None:
        if says := singular_at_data(self.kind, self.schedule, self.sigma_data):
            raise FieldError(says)

    def path(self, network: VelocityField, clock: Callable | None) -> Schedule | None:
        return agree(self.schedule, schedule_of(network))

    def jumps(
        self, network: VelocityField, clock: Callable | None
    ) -> tuple[float, ...]:
        frozen = self.kind in DIVIDE_BY_ALPHA or self.time in INFINITE_AT_0
        steps = level_steps(self.schedule) if self.time == "level" else []
        if self.time is None:
            assert clock is not None
            tau = clock
        else:
            tau = partial(TIMES[self.time], schedule=self.schedule)
        inner = preimages(tau, jumps_of(network))
        return (*((self.start,) if frozen else ()), *steps, *inner)


def from_prediction(
    network: VelocityField,
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
        "noise-data"  eps - x_1       u = ((a' + s') x + (s'a - s a') out)/(a + s)
        "v"         a eps - s x_1       x_1 = (a x - s v)/(a^2 + s^2)
        "score"     -eps/s              u = (a'/a) x - s ((s'a - s a')/a) score
        "edm"       F of D = c_skip x/a + c_out F(c_in x/a),  D = x_1

    with a = alpha_t, s = sigma_t. On CondOT "velocity" is data - noise and "noise-data"
    its negative: the output of SD3, FLUX, Wan and of most networks whose time runs from
    data to noise. On any path, a network that predicts the velocity of that reversed
    time goes through `reverse` instead. For "edm" the preconditioning is that of Karras
    et al. at noise level s/a; the network sees x / sqrt(s^2 + (a sigma_data)^2), and
    nothing is divided by a or s. The other kinds see x.

    Noise and score forms divide by alpha. Where alpha starts at 0 (CondOT, Cosine,
    CosineVP) their field is frozen at the noise end: it is evaluated at
    max(t, time_at_log_snr(min_log_snr)), the clip of DPM-Solver. VP(0.1, 20) starts at
    log SNR -5.02 and VE never divides, so neither is touched.

    At the data end, t = 1, the velocity is singular (x) or regular (-):

                             noise  data  velocity  noise-data  v  score  edm
        CondOT, Cosine         -     x       -          -       -    x     -
        VP, CosineVP,
        DiscreteVP             x     x       x          x       x    x     x
        EDM, sigma_min > 0     -     -       -          -       -    -     -

    On variance-preserving paths dsigma/dt = -inf there, whatever is predicted. End
    before t = 1 where there is a cross.

    Args:
      network: `network(tau, x)` or `network(tau, x, c)`, tau `(batch,)`; a function or
        a pytree such as `from_flax` returns.
      schedule: the path the network was trained on.
      kind: one of the names above.
      time: the time tau that the network expects: "t", "1-t", "999t", "1000t",
        "999(1-t)", "1000(1-t)", "1000(1-t)-1"; for a schedule of N levels "N(1-t)-1",
        the continuous index of a DDPM, and "level", the same rounded to an integer of
        int32 in [0, N - 1] for embedding tables; "sigma" (the noise-to-signal ratio),
        "log_sigma/4" (its log over 4, as EDM networks take it); or a function of t,
        whose integers stay integers. The two sigma names are held at `min_log_snr` as
        well. With "level" the field jumps between the levels: run solvers at the times
        of the levels, or "N(1-t)-1" where the network takes any number.
      sigma_data: standard deviation of the data, for "edm".
      min_log_snr: log(alpha/sigma) below which to freeze; `-inf` for never.

    Raises:
      ValueError: for an unknown kind or time, and a time in levels on a schedule that
        has none. Outside of `jit` also at the call for t = 1 where the velocity is
        singular.

    Reference: Salimans and Ho (2022), arXiv 2202.00512, appendix D; Karras et al.
    (2022), arXiv 2206.00364, equation 7; Shaul et al. (2024), arXiv 2310.19075,
    equation 23; Lu et al. (2022), arXiv 2206.00927.
    """
    network = as_field(network)
    checks.static_schedule("schedule", schedule)
    try:
        checks.known("kind", kind, KINDS)
    except ValueError as error:
        raise ValueError(f"{error} {SIGNS}.") from None
    if isinstance(time, str):
        checks.known("time", time, TIMES)
        if time in ("level", "N(1-t)-1"):
            levels(schedule)
        name, clock = time, None
    else:
        name, clock = None, as_callable(time, "time")
    sigma_data = checks.real("sigma_data", sigma_data, above=0)
    never = isinstance(min_log_snr, float) and min_log_snr == -np.inf
    least = min_log_snr if never else checks.real("min_log_snr", min_log_snr)
    start = _frozen_before(schedule, least)
    if kind in DIVIDE_BY_ALPHA and getattr(schedule, "zero_snr", False):
        raise ValueError(
            f"kind {kind!r} says nothing of the data at the zero terminal SNR of this "
            "schedule; such networks are of kind 'v' or 'data'"
        )
    return Partial(_Prediction(schedule, kind, name, sigma_data, start), network, clock)


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
        self, field: VelocityField, t: BatchTime, x: State, c: Conditioning = None
    ) -> State:
        t = to_batch(t, x)
        u = evaluate(field, t, x, c)
        path = coefficients(self.schedule, t, x)
        endpoint = path.data if self.kind == "data" else path.noise
        return endpoint(x, u).astype(x.dtype)

    def path(self, field: VelocityField) -> Schedule | None:
        return agree(self.schedule, schedule_of(field))

    def jumps(self, field: VelocityField) -> tuple[float, ...]:
        return jumps_of(field)


def data_prediction(field: VelocityField, schedule: Schedule) -> Partial:
    """The data prediction `(t, x, c=None) -> x_1` of a velocity field.

        x_1 = (sigma u - sigma' x) / W,    W = sigma alpha' - alpha sigma'

    Raises:
      ValueError: when `field` is not a field.
    """
    return Partial(
        _Endpoint(checks.static_schedule("schedule", schedule), "data"), as_field(field)
    )


def noise_prediction(field: VelocityField, schedule: Schedule) -> Partial:
    """The noise prediction `(t, x, c=None) -> eps` of a velocity field.

        eps = (alpha' x - alpha u) / W,    W = sigma alpha' - alpha sigma'

    Raises:
      ValueError: when `field` is not a field.
    """
    return Partial(
        _Endpoint(checks.static_schedule("schedule", schedule), "noise"),
        as_field(field),
    )

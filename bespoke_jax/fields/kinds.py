"""Tables of what networks predict (`KINDS`) and of the times they expect (`TIMES`)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core import endpoints
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Arr


# Each kind: (beta, gamma) of u = beta x + gamma out on the path p. Only the divisions
# that the algebra leaves are made, so each form is as regular as its prediction: noise
# and score divide by alpha, data by sigma, the others by neither.
def _noise(p, sigma_data):
    return p.from_noise


def _data(p, sigma_data):
    return p.from_data


def _velocity(p, sigma_data):
    return jnp.zeros_like(p.alpha), jnp.ones_like(p.alpha)


def _noise_data(p, sigma_data):
    total = p.alpha + p.sigma
    return (p.d_alpha + p.d_sigma) / total, -p.W / total


def _v(p, sigma_data):
    r = p.alpha**2 + p.sigma**2
    return (p.alpha * p.d_alpha + p.sigma * p.d_sigma) / r, -p.W / r


def _score(p, sigma_data):
    beta, gamma = p.from_noise
    return beta, -p.sigma * gamma


def _edm(p, sigma_data):
    # D = c_skip x/alpha + c_out F put into the data form; sigma cancels.
    r = p.sigma**2 + (p.alpha * sigma_data) ** 2
    beta = (p.sigma * p.d_sigma + sigma_data**2 * p.alpha * p.d_alpha) / r
    return beta, sigma_data * p.W / jnp.sqrt(r)


KINDS: dict[str, Callable] = {
    "noise": _noise,
    "data": _data,
    "velocity": _velocity,
    "noise-data": _noise_data,
    "v": _v,
    "score": _score,
    "edm": _edm,
}
DIVIDE_BY_ALPHA = ("noise", "score")
SIGNS = (
    'A flow-matching network that returns data - noise predicts "velocity"; one that '
    'returns noise - data (SD3, FLUX, Wan) predicts "noise-data". "epsilon", "sample" '
    'and "v_prediction" of diffusers are "noise", "data" and "v"'
)


def levels(schedule: Schedule) -> int:
    """The number N of levels of a discrete schedule, or of the one it wraps.

    Raises:
      ValueError: for a schedule that has none.
    """
    inner: object = schedule
    while (alphas_bar := getattr(inner, "alphas_bar", None)) is None:
        inner = getattr(inner, "base", None)
        if inner is None:
            raise ValueError(
                f"{schedule} has no discrete levels; time names with N and 'level' "
                "need schedules.DiscreteVP, or give time as a function of t"
            )
    return len(alphas_bar)


def _level(t: Arr, schedule: Schedule) -> jax.Array:
    n = levels(schedule)
    return jnp.clip(jnp.round(n * (1 - t)) - 1, 0, n - 1).astype(jnp.int32)


TIMES: dict[str, Callable] = {
    "t": lambda t, schedule: t,
    "1-t": lambda t, schedule: 1 - t,
    "999t": lambda t, schedule: 999 * t,
    "1000t": lambda t, schedule: 1000 * t,
    "999(1-t)": lambda t, schedule: 999 * (1 - t),
    "1000(1-t)": lambda t, schedule: 1000 * (1 - t),
    "1000(1-t)-1": lambda t, schedule: 1000 * (1 - t) - 1,
    "N(1-t)-1": lambda t, schedule: levels(schedule) * (1 - t) - 1,
    "level": _level,
    "sigma": lambda t, schedule: schedule.nsr(t),
    "log_sigma/4": lambda t, schedule: -schedule.log_snr(t) / 4,
}
INFINITE_AT_0 = ("sigma", "log_sigma/4")


def level_steps(schedule: Schedule) -> list[float]:
    """The times at which "level" goes from one integer to the next."""
    n = levels(schedule)
    return [1 - (k + 0.5) / n for k in range(1, n)]


def singular_at_data(kind: str, schedule: Schedule, sigma_data: float) -> str:
    """Why the velocity of a kind is not finite at t = 1; empty where it is."""
    with jax.ensure_compile_time_eval():
        one = jnp.ones(())
        path = endpoints.at(schedule, one)
        finite = np.isfinite([*path, *KINDS[kind](path, sigma_data)]).all()
        if finite and not (kind == "score" and float(path.sigma) == 0):
            return ""
    cause = (
        "dsigma/dt is infinite there"
        if not np.isfinite(float(path.d_sigma))
        else "it divides by sigma = 0 there"
    )
    return (
        f"the velocity of a {kind!r} prediction on {schedule} is singular at t = 1 "
        f"({cause}): end before it, as with end=1 - 1e-3"
    )

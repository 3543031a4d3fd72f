"""Consistency of a schedule: values, rates, ratios, inverses, host and device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core.checks import real
from bespoke_jax.core.protocols import Pair, Schedule, Values
from bespoke_jax.schedules.host import on_host

_METHODS = ("__call__", "rates", "nsr", "log_snr", "time_at_nsr", "time_at_log_snr")
# Off the round numbers at which paths in pieces are joined.
_TIMES = (np.arange(99) + 0.6180339887) / 99
_DEVICE = 1e-3


def check(schedule: object, *, rtol: float | int = 1e-5) -> Schedule:
    """Return the schedule if its methods agree with each other, else say where not.

    At 99 times inside (0, 1), in this order: alpha and sigma are finite and not
    negative; nsr = sigma / alpha and log_snr = log(alpha / sigma); nsr falls; rates are
    the derivatives (a difference quotient to either side, or both); the inverses lead
    back; and JAX, jitted in float32, gives the numbers of the host to 1e-3.

    Args:
        schedule: any object with the methods of `Schedule`, such as a `Path`.
        rtol: tolerance of the comparisons on the host, which are in float64. A schedule
            that answers in float32 there is allowed 1e-2.

    Raises:
        ValueError: at the first disagreement, with its time, what was expected and what
            came; or where a method is missing or fails.
    """
    rtol = real("rtol", rtol, above=0)
    name = type(schedule).__name__
    missing = [m for m in _METHODS if not callable(getattr(schedule, m, None))]
    if isinstance(schedule, type) or missing or not isinstance(schedule, Schedule):
        raise ValueError(
            f"a schedule is an object with the methods {', '.join(_METHODS)}; {name} "
            f"lacks {', '.join(missing) or 'an instance: it is a class'}."
        )
    t = _TIMES
    alpha, sigma = _pair(schedule, "__call__", t)
    for symbol, value in (("alpha", alpha), ("sigma", sigma)):
        _require(name, symbol, t, value >= 0, "a number >= 0", value)
    single = all(np.all(v == np.float32(v)) for v in (alpha, sigma))
    rtol = 1e-2 if single else rtol
    nsr, log_snr = (_one(schedule, m, t) for m in ("nsr", "log_snr"))
    _agree(name, "nsr", t, sigma / alpha, nsr, rtol)
    _agree(name, "log_snr", t, np.log(alpha / sigma), log_snr, rtol, floor=1)
    falls = np.append(nsr[1:] < nsr[:-1], True)
    after = np.append(nsr[1:], np.nan)
    _require(name, "nsr", t, falls, "a ratio that falls with t", nsr, then=after)
    _rates(schedule, t, rtol, 1e-3 if single else 1e-6)
    for method, value in (("nsr", nsr), ("log_snr", log_snr)):
        inverse, floor = f"time_at_{method}", 1 if method == "log_snr" else 0
        back = _one(schedule, inverse, value)
        # Where the ratio is flat only the ratio can be compared, not the time.
        ratio = _one(schedule, method, np.clip(np.nan_to_num(back), 0, 1))
        off = np.abs(ratio - value) > rtol * (np.abs(value) + floor)
        _require(name, inverse, value, ~(off & (np.abs(back - t) > rtol)), t, back)
    _device(schedule, t)
    return schedule


def _rates(schedule, t, rtol, h):
    got = _pair(schedule, "rates", t)
    here, *around = (_pair(schedule, "__call__", t + d) for d in (0, h, -h))
    for symbol, x, x_0, after, before in zip(
        ("alpha", "sigma"), got, here, *around, strict=True
    ):
        quotients = [(after - before) / (2 * h), (after - x_0) / h, (x_0 - before) / h]
        scale = np.abs(quotients[0]) + np.abs(x_0) + 1
        near = np.min([np.abs(x - q) for q in quotients], axis=0)
        what = f"rates (d {symbol} / dt)"
        ok = near <= max(rtol, 1e-4) * scale
        _require(type(schedule).__name__, what, t, ok, quotients[0], x)


def _device(schedule: Schedule, t: np.ndarray) -> None:
    name = type(schedule).__name__
    single = jnp.asarray(t, jnp.float32)
    for method in _METHODS:
        argument = t
        if method.startswith("time_at"):
            argument = _one(schedule, method.removeprefix("time_at_"), t)
        call = getattr(schedule, method)
        try:
            got = jax.jit(call)(jnp.asarray(argument, jnp.float32))
        except Exception as error:
            raise ValueError(
                f"{name}.{method} fails under jax.jit, where fields call it; write it "
                f"with jax.numpy ({type(error).__name__}: {str(error).splitlines()[0]})"
            ) from error
        want = on_host(call, np.float64(np.float32(argument)))
        for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
            if x.shape not in ((), single.shape):
                raise ValueError(
                    f"{name}.{method} under jax.jit: expected the shape {t.shape} of "
                    f"its argument, got {x.shape}."
                )
            x = np.broadcast_to(np.asarray(x, np.float64), t.shape)
            _agree(name, f"{method} under jax.jit", argument, y, x, _DEVICE, floor=1)


def _pair(schedule: Schedule, method: str, t: np.ndarray) -> Pair:
    got = _call(schedule, method, t)
    if not isinstance(got, tuple) or len(got) != 2:
        raise ValueError(
            f"{type(schedule).__name__}.{method} must return a pair (of alpha and of "
            f"sigma); got {type(got).__name__}."
        )
    return got


def _one(schedule: Schedule, method: str, t: np.ndarray) -> np.ndarray:
    got = _call(schedule, method, t)
    if not isinstance(got, np.ndarray):
        raise ValueError(
            f"{type(schedule).__name__}.{method} must return an array of the shape of "
            f"its argument; got {type(got).__name__}."
        )
    return got


def _call(schedule: Schedule, method: str, t: np.ndarray) -> Values:
    function: Callable[[np.ndarray], Values] = getattr(schedule, method)
    try:
        return on_host(function, t)
    except Exception as error:
        raise ValueError(
            f"{type(schedule).__name__}.{method} fails on a float64 NumPy array of "
            f"shape {t.shape} ({type(error).__name__}: {str(error).splitlines()[0]})."
        ) from error


def _agree(name, what, t, expected, got, rtol, floor=0):
    ok = np.abs(got - expected) <= rtol * (np.abs(expected) + floor)
    _require(name, what, t, ok, expected, got)


def _require(name, what, t, ok, expected, got, then=None):
    """Raise at the first False; a comparison with nan is False."""
    if np.all(ok):
        return
    i = int(np.argmin(ok))
    if not isinstance(expected, str):
        expected = f"{expected[i]:.8g}"
    argument = "value" if what.startswith("time_at") else "t"
    later = "" if then is None else f" then {then[i]:.8g}"
    raise ValueError(
        f"{name}: {what} at {argument} = {t[i]:.8g}: expected {expected}, got "
        f"{got[i]:.8g}{later}."
    )

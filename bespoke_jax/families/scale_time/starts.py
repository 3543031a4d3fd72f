"""Starts of a scale-time fit from continuous maps t(r) and s(r).

A smooth map gives a consistent solver of the base's order (Theorem 2.2), and a change
of the Gaussian path is such a map (Theorem 2.3): with snr = alpha / sigma

    t(r) = snr_old^{-1}(snr_new(r)),    s(r) = sigma_new(r) / sigma_old(t)
                                             = alpha_new(r) / alpha_old(t),

so that the base solver run on the new path is a scale-time solver on the old one. The
start sets the values of t, t', s, s' at the nodes; only ratios of s count, and s is
divided by s(0).

Reference: Shaul et al. (2024), arXiv 2310.19075, section 2.2 and Theorem 2.3.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax.core import checks, endpoints
from bespoke_jax.core.endpoints import Endpoints
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.types import Arr, Theta
from bespoke_jax.families.family import Family


def from_path(
    family: Family,
    time: Callable[[jax.Array], Arr | float],
    scale: Callable[[jax.Array], Arr | float] = jnp.ones_like,
) -> Theta:
    """theta of the base solver on x_bar(r) = s(r) x(t(r)), for smooth t and s.

    t_r, s_r at the nodes, rates by forward differentiation, s divided by s(0).
    `time = r/(r + k(1-r))`, `scale = r + k(1-r)` start a CondOT path at noise of
    standard deviation k, for instance.

    Args:
        family: a scale-time family.
        time: t(r), increasing from t(0) = start to t(1) = end of the family.
        scale: s(r) > 0.

    Returns:
        theta, in the family's own form.

    Raises:
        ValueError: another kind of family, maps out of range, or maps that `learn`
            cannot represent.
    """
    r, evaluated = _nodes(family)

    def at_nodes(name, f):
        if not callable(f) or isinstance(f, type):
            raise ValueError(f"{name} must be a function of r; got {checks.shown(f)}.")
        call = lambda r: jnp.asarray(f(r), r.dtype)
        try:
            value, rate = jax.vmap(lambda r: jax.jvp(call, (r,), (jnp.ones_like(r),)))(
                jnp.asarray(r)
            )
        except Exception as error:
            raise ValueError(
                f"{name} must be a function of one number r in jax.numpy; it raised "
                f"{type(error).__name__}: {str(error).splitlines()[:1]}"
            ) from error
        return np.asarray(value, np.float64), np.asarray(rate, np.float64)[:evaluated]

    (t, t_dot), (s, s_dot) = at_nodes("time", time), at_nodes("scale", scale)
    return family.init({"t": t, "t_dot": t_dot, "s": s / s[0], "s_dot": s_dot / s[0]})


def from_schedules(family: Family, old: Schedule, new: Schedule) -> Theta:
    """theta of the base solver on the path `new`, for a model trained on `old`.

    The new path is run where its SNR is one that the old path has on [start, end]; its
    own time runs uniformly over that interval. Where it does not reach the old path's
    first or last SNR (VP and EDM start above 0), times are stretched onto [start, end]:
    still a consistent solver, no longer exactly the one on the new path.

    Args:
        family: a scale-time family; its start and end are times of `old`.
        old: the path of the model.
        new: the path on which the base solver should run.

    Returns:
        theta, in the family's own form.

    Raises:
        ValueError: as `from_path`; also where a rate is infinite at an evaluated node
            (VP at t = 1: use end < 1, or a base without a stage there).
    """
    r, evaluated = _nodes(family)
    for name, schedule in (("old", old), ("new", new)):
        checks.schedule(name, schedule)
    ends = np.asarray(family.values(family.init())["t"], np.float64)[[0, -1]]
    host = lambda pair: [np.asarray(value, np.float64) for value in pair]
    whole = np.array([0.0, 1.0])
    (low, high), (first, last) = host((old.log_snr(ends), new.log_snr(whole)))
    begin = 0.0 if first >= low else float(new.time_at_log_snr(low))
    stop = 1.0 if last <= high else float(new.time_at_log_snr(high))
    rho = begin + (stop - begin) * r
    t = np.clip(host([old.time_at_log_snr(new.log_snr(rho))])[0], *ends)
    # A rate may be infinite at the data end, beyond the last evaluation.
    with np.errstate(divide="ignore", invalid="ignore"):
        paths = (endpoints.at(old, t), endpoints.at(new, rho))
        s, growth, gain = endpoints.change(*(Endpoints(*host(p)) for p in paths))
        t_dot, s_dot = gain / s, growth * s
    stretch = (ends[1] - ends[0]) / (t[-1] - t[0])
    return family.init(
        {
            "t": ends[0] + (t - t[0]) * stretch,
            "t_dot": t_dot[:evaluated] * stretch * (stop - begin),
            "s": s / s[0],
            "s_dot": s_dot[:evaluated] * (stop - begin) / s[0],
        }
    )


def _nodes(family: Family) -> tuple[np.ndarray, int]:
    checks.instance("family", family, Family, "one of bespoke_jax.families")
    values = family.values(family.init())
    if not {"r", "t_dot", "s"} <= set(values):
        raise ValueError(f"expected a scale-time family; got {family.name}.")
    return np.asarray(values["r"], np.float64), values["t_dot"].size


__all__ = ["from_path", "from_schedules"]

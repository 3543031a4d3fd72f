"""Measures estimates of the derivative of Gamma against the exact one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj
from bespoke_jax.solvers import recursive_difference
from experiments import harness
from experiments.recursive_difference import subjects

HERE = Path(__file__).parent


NAMES = ("gaussian", "mixture", "eps_vp")


ESTIMATES = ("FD", "RD(3)", "RD(inf)", "full (3)", "full (inf)", "EI")


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    samples: int = 48
    starts: tuple[float, ...] = (5.0, 1.0, 0.3, 0.05)  # tau_s of the limit
    shrink: tuple[float, ...] = (0.5, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # 1 - rho
    nfe: tuple[int, ...] = (6, 8, 10, 12, 16, 20)
    seed: int = 0

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        settings = {k: v for k, v in vars(self).items() if k != "models"}
        return harness.Results(HERE / "results" / f"{name}.json", settings)


def gamma(schedule: Any, field: Any, tau: Any, y: jax.Array) -> jax.Array:
    """Gamma = eps(x, t) at x = alpha y and sigma / alpha = tau."""
    t = schedule.time_at_nsr(tau)
    alpha, _ = schedule(t)
    return bj.fields.noise_prediction(field, schedule)(t, alpha * y)


@partial(jax.jit, static_argnums=0)
def derivatives(schedule: Any, field: Any, tau: Any, y: jax.Array) -> tuple:
    """(Gamma, Gamma', Gamma'') at a point of the path, by forward differentiation."""
    value = partial(gamma, schedule, field)

    def along(f: Callable) -> Callable:
        return lambda tau, y: jax.jvp(f, (tau, y), (1.0, value(tau, y)))[1]

    return value(tau, y), along(value)(tau, y), along(along(value))(tau, y)


@partial(jax.jit, static_argnums=0)
def flow(
    schedule: Any,
    field: Any,
    y: jax.Array,
    start: Any,
    stop: Any,
    tolerance: float = 1e-10,
) -> jax.Array:
    """The exact y at tau = stop from that at tau = start, solved for in log tau."""

    def rate(l, y, args):
        return jnp.exp(l) * gamma(schedule, field, jnp.exp(l), y)

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(rate),
        diffrax.Dopri8(),
        t0=jnp.log(start),
        t1=jnp.log(stop),
        dt0=None,
        y0=y,
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=4096,
    )
    assert solution.ys is not None
    return solution.ys[0]


def estimates(s: tuple, p: tuple, h: float, ratio: float) -> dict[str, jax.Array]:
    """All estimates of Gamma'(s) by name; s and p are (Gamma, Gamma', Gamma'')."""
    fd = (p[0] - s[0]) / h

    def full(m):
        one, two, three = recursive_difference(m)
        return (fd - two * p[1] - three * h * p[2]) / one

    values = (
        fd,
        fd / recursive_difference(3)[0],
        fd / recursive_difference(np.inf)[0],
        full(3),
        full(np.inf),
        fd * 2 / (1 + ratio),
    )
    return dict(zip(ESTIMATES, values, strict=True))


def judged(truth: jax.Array, found: dict[str, jax.Array]) -> dict[str, float]:
    """Relative RMS error of each estimate, and how often RD(3) is closer than FD."""
    off = {name: np.asarray(value - truth) for name, value in found.items()}
    size = np.sqrt(np.mean(np.asarray(truth) ** 2))
    rms = {name: float(np.sqrt(np.mean(v**2)) / size) for name, v in off.items()}
    each = {n: (v.reshape(len(v), -1) ** 2).sum(1) for n, v in off.items()}
    return {**rms, "closer": float(np.mean(each["RD(3)"] < each["FD"]))}


def measure_model(config: Config, name: str) -> None:
    model, results = subjects.load(name, double=True), config.results(name)
    schedule, field = model.schedule, model.field
    x0 = subjects.noise(model, config.seed, config.samples)
    first = float(schedule.nsr(0.0))
    start = x0 / schedule(0.0)[0]
    move = partial(flow, schedule, field)
    at = partial(derivatives, schedule, field)

    @cache
    def begun(tau: float) -> tuple[jax.Array, tuple]:
        # What follows starts from this point of the path: only that must be exact.
        y = move(start, first, tau, 1e-6)
        return y, at(tau, y)

    def limit(tau: float, shrink: float) -> dict[str, Any]:
        (y, s), p = begun(tau), (1 - shrink) * tau
        found = estimates(s, at(p, move(y, tau, p)), p - tau, 1 - shrink)
        return judged(s[1], found)

    def grid(nfe: int) -> dict[str, Any]:
        steps = nfe // 2
        taus = schedule.nsr(bj.grids.nsr(steps, schedule, model.end)).tolist()
        y, rows = start, []
        for tau, end in zip(taus, taus[1:], strict=False):
            p = (tau + end) / 2
            s, y_p, y_end = at(tau, y), move(y, tau, p), move(y, tau, end)
            h = end - tau
            # The program sees the node after an Euler step, not the exact one.
            euler = gamma(schedule, field, p, y + h / 2 * s[0])
            exact_p = at(p, y_p)
            ratio = p / tau
            found = judged(s[1], estimates(s, exact_p, h / 2, ratio))
            seen = judged(s[1], estimates(s, (euler, *exact_p[1:]), h / 2, ratio))
            # y_end = y + h Gamma(s) + c h^2/2 FD, for c by least squares.
            term = np.asarray(h * (euler - s[0])).ravel()
            rest = np.asarray(y_end - y - h * s[0]).ravel()
            rows.append(
                {
                    "tau": tau,
                    "exact": found,
                    "euler": seen,
                    "needed": float(term @ rest / (term @ term)),
                }
            )
            y = y_end
        return {"steps": rows}

    for tau in config.starts:
        for shrink in config.shrink:
            key = {"kind": "limit", "tau": tau, "shrink": shrink}
            results.once(key, partial(limit, tau, shrink))
    for nfe in config.nfe:
        results.once({"kind": "grid", "nfe": nfe}, partial(grid, nfe))

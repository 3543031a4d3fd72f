"""Certificates: what a solver does, measured, beside what its paper claims.

Measured in float64 on the host, whatever the JAX configuration, on two exact fields.
For data x_1 ~ sum_k w_k N(mu_k, s_k^2 I) the velocity is closed form,
u = alpha' E[x_1 | x] + sigma' E[x_0 | x]. With one component so is the flow map; with
several it is solved in the angle theta = atan(sigma / alpha), where it is smooth up to
both ends: z = x / sqrt(alpha^2 + sigma^2) has dz/dtheta = cos E[x_0] - sin E[x_1].
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.core.solver import Solver, canonical, validate
from bespoke_jax.families import Family
from bespoke_jax.schedules import VP
from bespoke_jax.solvers import TABLE, construct, rk4

NFE = (96, 192, 384, 768)
"""Multiples of 12: methods of 1, 2, 3 and 4 stages spend all of them."""
TOLERANCE = 0.25
"""A measured order this far below the claim is a shortfall."""
CHECKS = ("constant velocity", "single data point")


class Mixture(NamedTuple):
    """Weights (modes,), means (modes, dim), standard deviations (modes,)."""

    w: np.ndarray
    mu: np.ndarray
    s: np.ndarray


MIXTURE = Mixture(
    np.full(4, 0.25),
    np.array(
        [
            [-1.448, 1.699, -1.592],
            [1.38, 2.038, -2.178],
            [0.062, -1.027, -0.359],
            [0.21, 1.429, -0.213],
        ]
    ),
    np.array([0.309, 0.474, 0.628, 0.366]),
)
GAUSSIAN = Mixture(np.ones(1), np.array([[0.5, -0.3, 0.8]]), np.array([0.6]))
NOISE = np.array(
    [
        [2.044, 1.12, 0.16],
        [-0.522, 1.191, -1.057],
        [-1.309, -1.098, -0.224],
        [-0.433, -0.828, -0.484],
        [0.612, 0.028, 0.616],
        [0.922, -0.268, -1.194],
    ]
)


class Verdict(NamedTuple):
    """One value for each length n in the tuples; orders are slopes of log-errors."""

    name: str
    claimed: float | None
    """Order that was claimed; None: no claim."""
    measured: float
    """On the mixture, at the last two n whose errors exceed rounding; nan: none do."""
    gaussian: float
    """On one Gaussian, which flatters: some second-order methods have order 3 there."""
    asked: tuple[int, ...]
    """The n that the constructor was called with: NFE, or steps of a family."""
    nfe: tuple[int, ...]
    """Evaluations counted: the rows of the tables."""
    errors: tuple[float, ...]
    """RMS error of the sample on the mixture."""
    gaussian_errors: tuple[float, ...]
    consistency: tuple[float, ...]
    """Largest deviation of any row from `check`."""
    check: str
    """"constant velocity": u = 1 must give x(t_i) = x_0 + t_i at every row, for x_0 = 0
    and 1. "single data point": if all data are one point, the predictions are constant
    and x(t_i) = alpha x_1 + sigma x_0 at every row. A method keeps one of the two;
    here is the one that this method keeps better."""
    text: str
    """The verdict in words, beside the claim."""


def certify(
    solver: str | Solver | Callable[[int], Any],
    *,
    schedule: Any = None,
    end: float | int = 1 - 1e-3,
    nfe: Sequence[int] = NFE,
    claimed: float | int | None = None,
    name: str = "",
    note: str = "",
) -> Verdict:
    """Measure order, NFE and consistency: order = log(e_1 / e_2) / log(n_2 / n_1).

    Args:
        solver: a name in `solvers.TABLE`, which brings its claim and note; a function
            n -> Solver, or n -> Family of n steps (the certificate is that of
            `init()`, its base; its numbers are float32 unless JAX has x64, so that
            errors below 1e-6 do not count); or one Solver, which has a single NFE
            and therefore no order.
        schedule: path of the fields and of the named solver; None is `schedules.VP()`,
            and for one Solver "not known": it is then checked on constant velocity.
        end: time of a named solver's sample, below 1; others bring their own.
        nfe: at least two increasing n; multiples of the number of stages.
        claimed: the order to judge by; None takes the name's.
        name: what the verdict calls it; "" takes the name or the function's.
        note: why the order is below the claim; "" takes the name's.

    Raises:
        ValueError: an unknown name (with the nearest), lengths that do not increase,
            what the function returns, ends that differ.
    """
    for what, text in (("name", name), ("note", note)):
        checks.instance(what, text, str, "text")
    if claimed is not None:
        checks.real("claimed", claimed, least=0)
    if isinstance(solver, Solver):
        return _single(solver, schedule, name or "solver")
    n = _lengths(nfe)
    schedule = VP() if schedule is None else schedule
    checks.schedule("schedule", schedule)
    if isinstance(solver, str):
        build = lambda k: construct(solver, k, schedule=schedule, end=end)
        made = [build(k) for k in n]
        entry = TABLE[solver]
        claimed = entry.order if claimed is None else claimed
        name, note = name or solver, note or entry.note
    else:
        made = _made(solver, n)
        name = name or getattr(solver, "__name__", "solver")
    family = isinstance(made[0], Family)
    solvers = [_table(m) for m in made]
    if len({float(s.end) for s in solvers}) > 1:
        raise ValueError(
            "every length must end at the same time; got "
            f"{[float(s.end) for s in solvers]}."
        )
    claimed = None if claimed is None else float(claimed)
    counted = tuple(s.nfe for s in solvers)
    eps = max(float(np.finfo(np.asarray(s.t).dtype).eps) for s in solvers)
    floor = max(1e-12, 10 * eps)  # the exact solution has 12 digits
    errors = tuple(_error(MIXTURE, schedule, s) for s in solvers)
    easy = tuple(_error(GAUSSIAN, schedule, s) for s in solvers)
    both = np.array([_deviations(s, schedule) for s in solvers])
    kind = int(np.argmin(both[-1]))
    consistency = tuple(both[:, kind].tolist())
    measured = _order(counted, errors, floor)
    per = counted[0] / n[0] if family else 1
    parts = [_order_text(measured, claimed, note)]
    if any(c != per * k for c, k in zip(counted, n, strict=True)):
        parts.append(
            f"asked for {', '.join(map(str, n))} evaluations, spends "
            f"{', '.join(map(str, counted))}"
        )
    last = consistency[-1]
    if not last <= max(floor, consistency[0] / 2):
        parts.append(f"inconsistent, off by {last:.1g} on a {CHECKS[kind]}")
    return Verdict(
        name=name,
        claimed=claimed,
        measured=measured,
        gaussian=_order(counted, easy, floor),
        asked=n,
        nfe=counted,
        errors=errors,
        gaussian_errors=easy,
        consistency=consistency,
        check=CHECKS[kind],
        text="; ".join(parts),
    )


def run(u: Callable[[int, Any], Any], solver: Solver, x0: Any) -> np.ndarray:
    """All states (n + 1, *x0.shape) of (S) in float64; u(i, x) is the velocity at t_i.

    x_{i+1} = a_i x_0 + sum_k p_ik x_{i-k} + sum_k q_ik u_{i-k}.
    """
    t, a, p, q, _ = (np.asarray(leaf, np.float64) for leaf in solver)
    xs, us = [np.asarray(x0, np.float64)], []
    for i in range(len(t)):
        us.append(u(i, xs[i]))
        new = a[i] * xs[0]
        for k in np.flatnonzero(p[i]):
            new = new + p[i, k] * xs[i - k]
        for k in np.flatnonzero(q[i]):
            new = new + q[i, k] * us[i - k]
        xs.append(new)
    return np.stack(xs)


def row_sums(solver: Solver) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each row of the canonical form adds up to: times, weights, deviations.

    Returns:
        (n,) each, for the state x_{i+1} that row i makes: its time t_{i+1} (the last
        one is `end`); its weight on x_0, which keeps a state at rest if it is 1; and
        sum_j b_ij - t_{i+1}, 0 where a constant velocity is integrated exactly.
    """
    a, b = canonical(solver)
    times = np.append(np.asarray(solver.t, np.float64)[1:], float(solver.end))
    return times, np.asarray(a), np.asarray(b).sum(1) - times


def end_point(mixture: Mixture, schedule: Any, x0: Any, end: float) -> np.ndarray:
    """The exact flow of x0 (batch, dim) from time 0 to `end`, to about 12 digits."""
    x0 = np.asarray(x0, np.float64)
    (a, sigma), (b, tau) = schedule(0.0), schedule(end)
    if len(mixture.w) == 1:
        mu, s = mixture.mu[0], mixture.s[0]
        return b * mu + np.hypot(b * s, tau) / np.hypot(a * s, sigma) * (x0 - a * mu)
    first, last = np.arctan2(sigma, a), np.arctan2(tau, b)

    table = rk4(steps=2048)
    theta = first + (last - first) * table.t
    path = (np.cos(theta), np.sin(theta))
    rates = (-path[1] * (last - first), path[0] * (last - first))
    z = run(_velocity(mixture, path, rates), table, x0 / np.hypot(a, sigma))
    return np.hypot(b, tau) * z[-1]


def _lengths(nfe: Any) -> tuple[int, ...]:
    if isinstance(nfe, str) or not hasattr(nfe, "__iter__") or np.ndim(nfe) != 1:
        raise ValueError(
            f"nfe must be two or more increasing lengths; got {checks.shown(nfe)}."
        )
    n = tuple(checks.whole("each length of nfe", k) for k in nfe)
    if len(n) < 2 or any(b <= a for a, b in zip(n, n[1:], strict=False)):
        raise ValueError(f"nfe must be two or more increasing lengths; got {n}.")
    return n


def _made(solver: Any, n: tuple[int, ...]) -> list[Any]:
    if not callable(solver) or isinstance(solver, type):
        raise ValueError(
            "solver must be a name of solvers.TABLE, a Solver or a function n -> "
            f"Solver or Family; got {checks.shown(solver)}."
        )
    try:
        return [solver(k) for k in n]
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"the function n -> Solver raised {type(error).__name__}: {error}"
        ) from error


def _table(made: Any) -> Solver:
    if isinstance(made, Family):
        made = made.build(made.init())
    if not isinstance(made, Solver):
        raise ValueError(
            "certify needs a function n -> Solver or n -> Family; it returned "
            f"{type(made).__name__}."
        )
    return validate(Solver(*(np.asarray(leaf) for leaf in made)))


def _single(solver: Solver, schedule: Any, name: str) -> Verdict:
    solver = _table(solver)
    if schedule is not None:
        checks.schedule("schedule", schedule)
    both = _deviations(solver, schedule)
    kind = int(np.argmin(both))
    nan = float("nan")
    text = (
        f"{solver.nfe} NFE; a single NFE has no order; off by {both[kind]:.2g} on a "
        f"{CHECKS[kind]}"
    )
    n = (solver.nfe,)
    check = CHECKS[kind]
    return Verdict(name, None, nan, nan, n, n, (), (), (both[kind],), check, text)


def _velocity(mixture: Mixture, path: Any, rates: Any) -> Callable[[int, Any], Any]:
    """u(i, x) for x (batch, dim), with alpha, sigma and their rates at t_i."""
    w, mu, s = mixture
    alpha, sigma = (np.asarray(value)[:, None] for value in path)
    v = alpha**2 * s**2 + sigma**2  # (times, modes)
    log_w = np.log(w) - 0.5 * mu.shape[1] * np.log(v)
    d_alpha, d_sigma = rates

    def u(i: int, x: Any) -> Any:
        centred = x[:, None] - alpha[i] * mu  # (batch, modes, dim)
        log_r = log_w[i] - 0.5 * np.sum(centred**2, -1) / v[i]
        r = np.exp(log_r - log_r.max(1, keepdims=True))
        r = r / r.sum(1, keepdims=True)
        # alpha' (mu + alpha s^2 / v centred) + sigma' sigma / v centred, averaged.
        pull = (d_alpha[i] * alpha[i] * s**2 + d_sigma[i] * sigma[i]) / v[i]
        return d_alpha[i] * (r @ mu) + np.einsum("bk,bkd->bd", r * pull, centred)

    return u


@lru_cache
def _exact(gaussian: bool, schedule: Any, end: float) -> np.ndarray:
    x0 = schedule(0.0)[1] * NOISE
    return end_point(GAUSSIAN if gaussian else MIXTURE, schedule, x0, end)


def _error(mixture: Mixture, schedule: Any, solver: Solver) -> float:
    t = np.asarray(solver.t, np.float64)
    u = _velocity(mixture, schedule(t), schedule.rates(t))
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is an answer
        x = run(u, solver, schedule(0.0)[1] * NOISE)[-1]
    x1 = _exact(mixture is GAUSSIAN, schedule, float(solver.end))
    return float(np.sqrt(np.mean((x - x1) ** 2)))


def _deviations(solver: Solver, schedule: Any) -> list[float]:
    """How far rows are from exact on each of CHECKS; unknown schedule: the first."""
    t = np.append(np.asarray(solver.t, np.float64), float(solver.end))
    x0 = np.array([0.0, 1.0])
    x = run(lambda i, x: np.ones(2), solver, x0)
    worst = [np.max(np.abs(x - x0 - t[:, None]))]
    if schedule is None:
        return [float(worst[0])]
    (alpha, sigma), (d_alpha, d_sigma) = schedule(t), schedule.rates(t)
    # x_1 = 1 and noise -1, 0, 1.
    noise = np.array([-1.0, 0.0, 1.0])
    exact = alpha[:, None] + sigma[:, None] * noise
    u = lambda i, x: d_alpha[i] + d_sigma[i] * (x - alpha[i]) / sigma[i]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        x = run(u, solver, exact[0])
    worst.append(np.max(np.abs(x - exact)) / max(1.0, sigma[0]))
    return [float(value) if np.isfinite(value) else float("inf") for value in worst]


def _order(n: tuple[int, ...], errors: tuple[float, ...], floor: float) -> float:
    above = [k for k in range(1, len(n)) if min(errors[k - 1 : k + 1]) > floor]
    if not above:
        return float("nan")
    k = above[-1]
    return float(np.log(errors[k - 1] / errors[k]) / np.log(n[k] / n[k - 1]))


def _order_text(measured: float, claimed: float | None, note: str) -> str:
    if np.isnan(measured):
        return "no order measured: its errors are rounding, or not numbers"
    found = f"measured {measured:.1f}"
    text = found if claimed is None else f"claimed {claimed:g}, {found}"
    if measured < 0.5:
        return f"{text}: it does not converge to the exact solution"
    if claimed is None:
        return text
    if measured < claimed - TOLERANCE:
        return f"{text}: {note or 'below its claim'}"
    return f"{text}: above its claim" if measured > claimed + TOLERANCE else text

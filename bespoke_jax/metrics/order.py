"""Certificates: the order, cost and consistency of a solver, measured.

Measured in float64 on the host, whatever the JAX configuration, on the two exact fields
of `metrics.problems`, and compared with what the solver's paper claims.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver, canonical, validate
from bespoke_jax.families import Family
from bespoke_jax.metrics.problems import GAUSSIAN, MIXTURE, end_error, run
from bespoke_jax.schedules import VP
from bespoke_jax.solvers import TABLE, construct

NFE = (96, 192, 384, 768)
"""Multiples of 12: methods of 1, 2, 3 and 4 stages spend all of them."""
TOLERANCE = 0.25
"""A measured order this far below the claim is a shortfall."""
CHECKS = ("constant velocity", "single data point")


class Verdict(NamedTuple):
    """One value for each length n in the tuples; orders are slopes of log-errors."""

    name: str
    claimed: float | None
    """Order that was claimed; None: no claim."""
    measured: float
    """On the mixture, at the last two n whose errors exceed rounding; nan: none do."""
    gaussian: float
    """On one Gaussian, where some second-order methods have order 3."""
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
    and x(t_i) = alpha x_1 + sigma x_0 at every row. A method satisfies one of the two;
    this is the one with the smaller deviation."""
    text: str
    """The measured order in words, compared with the claim."""


def certify(
    solver: str | Solver | Callable[[int], object],
    *,
    schedule: Schedule | None = None,
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
        claimed = checks.real("claimed", claimed, least=0)
    if isinstance(solver, Solver):
        return _single(solver, schedule, name or "solver")
    n = _lengths(nfe)
    path = checks.schedule("schedule", VP() if schedule is None else schedule)
    subject = _subject(solver, n, path, end)
    return _measured(
        subject._replace(
            name=name or subject.name,
            note=note or subject.note,
            claimed=subject.claimed if claimed is None else claimed,
        ),
        path,
    )


class _Subject(NamedTuple):
    """What is certified: one table for each length."""

    name: str
    note: str
    claimed: float | None
    asked: tuple[int, ...]
    tables: tuple[Solver, ...]
    stages: int
    """Evaluations that each unit of a length stands for."""


def _subject(
    solver: str | Callable[[int], object],
    n: tuple[int, ...],
    schedule: Schedule,
    end: float | int,
) -> _Subject:
    """The tables of a name of `TABLE` or of a function n -> Solver or Family."""
    if isinstance(solver, str):
        made = [construct(solver, k, schedule=schedule, end=end) for k in n]
        entry = TABLE[solver]
        name, note, claimed = solver, entry.note, float(entry.order)
    else:
        made = _made(solver, n)
        name, note, claimed = getattr(solver, "__name__", "solver"), "", None
    tables = tuple(map(_table, made))
    if len({float(table.end) for table in tables}) > 1:
        raise ValueError(
            "every length must end at the same time; got "
            f"{[float(table.end) for table in tables]}."
        )
    stages = tables[0].nfe // n[0] if isinstance(made[0], Family) else 1
    return _Subject(name, note, claimed, n, tables, stages)


def _measured(subject: _Subject, schedule: Schedule) -> Verdict:
    n, tables = subject.asked, subject.tables
    counted = tuple(table.nfe for table in tables)
    eps = max(float(np.finfo(np.asarray(table.t).dtype).eps) for table in tables)
    floor = max(1e-12, 10 * eps)  # the exact solution has 12 digits
    errors = tuple(end_error(MIXTURE, schedule, table) for table in tables)
    easy = tuple(end_error(GAUSSIAN, schedule, table) for table in tables)
    both = np.array([_deviations(table, schedule) for table in tables])
    kind = int(np.argmin(both[-1]))
    consistency = tuple(both[:, kind].tolist())
    measured = _order(counted, errors, floor)
    parts = [_order_text(measured, subject.claimed, subject.note)]
    if any(c != subject.stages * k for c, k in zip(counted, n, strict=True)):
        parts.append(
            f"asked for {', '.join(map(str, n))} evaluations, spends "
            f"{', '.join(map(str, counted))}"
        )
    last = consistency[-1]
    if not last <= max(floor, consistency[0] / 2):
        parts.append(f"inconsistent, off by {last:.1g} on a {CHECKS[kind]}")
    return Verdict(
        name=subject.name,
        claimed=subject.claimed,
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


def _lengths(nfe: object) -> tuple[int, ...]:
    many = isinstance(nfe, Sequence | np.ndarray) and not isinstance(nfe, str)
    if not many or np.ndim(np.asarray(nfe)) != 1:
        raise ValueError(
            f"nfe must be two or more increasing lengths; got {checks.shown(nfe)}."
        )
    n = tuple(checks.whole("each length of nfe", k) for k in np.asarray(nfe).tolist())
    if len(n) < 2 or any(b <= a for a, b in zip(n, n[1:], strict=False)):
        raise ValueError(f"nfe must be two or more increasing lengths; got {n}.")
    return n


def _made(solver: object, n: tuple[int, ...]) -> list[object]:
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


def _table(made: object) -> Solver:
    if isinstance(made, Family):
        made = made.build(made.init())
    if not isinstance(made, Solver):
        raise ValueError(
            "certify needs a function n -> Solver or n -> Family; it returned "
            f"{type(made).__name__}."
        )
    return validate(Solver(*(np.asarray(leaf) for leaf in made)))


def _single(solver: Solver, schedule: Schedule | None, name: str) -> Verdict:
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


def _deviations(solver: Solver, schedule: Schedule | None) -> list[float]:
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

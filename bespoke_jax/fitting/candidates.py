"""Solvers of one length that a tailored solver can start from."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax
import numpy as np

from bespoke_jax import grids
from bespoke_jax.core.checks import instance
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.families import Family, from_schedules, insert, scale_time
from bespoke_jax.schedules import Scaled
from bespoke_jax.solvers import TABLE, construct

_FIRST = ("dpm_solver_pp_2m", "unipc", "deis_tab", "adams_bashforth", "midpoint")
SIGMA_0 = (2.0, 5.0)  # of the preconditioned paths that Euler and midpoint run on


class Candidate(NamedTuple):
    """A solver that lies in the family."""

    name: str
    method: str
    """Its constructor, without the grid. Chosen starts differ in it."""
    theta: Any
    given: bool = False
    """Whether the caller brought it."""


class Dropped(NamedTuple):
    """Something that a search left out, and why."""

    name: str
    reason: str


def candidates(
    family: Family,
    schedule: Schedule,
    nfe: int,
    interval: tuple[float, float],
    starts: Sequence[Solver],
    profiles: Mapping[str, grids.GridLike] | None = None,
    *,
    most: float | int = math.inf,
) -> tuple[list[Candidate], list[Dropped]]:
    """Everything of exactly nfe evaluations that lies in the family, each once.

    A constructor that raises loses only its own candidate: some may not work with a
    schedule that the user wrote. `profiles` are grids beside those of `grids.NAMES`, by
    a name of their own, such as `grids.profile(paths)` of this field. No more than
    `most` are made.

    Raises:
        ValueError: a start of the caller's that has more evaluations, or is not in the
            family.
    """
    found = list(_given(family, schedule, nfe, starts))
    dropped: list[Dropped] = []
    seen: set[bytes] = set()
    for name, method, make in _training_free(schedule, nfe, *interval, profiles or {}):
        if len(found) >= most:
            break
        try:
            solver = make()
            theta = family.init(solver) if solver.nfe == nfe else None
        except Exception as error:  # one candidate, not the search
            dropped.append(Dropped(name, _reason(error)))
            continue
        if theta is None:  # its steps do not add up to nfe
            continue
        mark = _mark(theta)
        if mark is None:
            dropped.append(Dropped(name, "its coefficients are not finite"))
        elif mark not in seen:
            seen.add(mark)
            found.append(Candidate(name, method, theta))
    return found, dropped


def _given(
    family: Family, schedule: Schedule, nfe: int, starts: Sequence[Solver]
) -> Iterator[Candidate]:
    instance("starts", starts, list | tuple, "a list of solvers")
    for number, start in enumerate(map(validate, starts)):
        name = f"given {number}"
        if start.nfe > nfe:
            raise ValueError(
                f"a start must have at most {nfe} evaluations; got {start.nfe}."
            )
        if start.nfe == nfe:
            yield Candidate(name, name, family.init(start), given=True)
            continue
        while start.nfe < nfe - 1:
            start = insert(start, _gaps(start, schedule)[0][1], schedule=schedule)
        for where, t in _gaps(start, schedule):
            larger = insert(start, t, schedule=schedule)
            at = f"{name} + {where}"
            yield Candidate(at, at, family.init(larger), given=True)


def _mark(theta: dict[str, Any]) -> bytes | None:
    """Equal for equal solvers; None where a weight is not finite."""
    parts = [np.asarray(leaf, np.float64) for leaf in theta.values()]
    # Infinite logits are times that repeat, or lie at the end: numbers like others.
    if any(np.isnan(part).any() for part in parts):
        return None
    return b"".join(np.round(part, 6).tobytes() for part in parts)


def _training_free(
    schedule: Schedule,
    nfe: int,
    start: float,
    end: float,
    profiles: Mapping[str, grids.GridLike],
) -> Iterator[tuple[str, str, Callable[[], Solver]]]:
    """Every solver of `TABLE` on every grid, and two on the path with scaled noise.

    Well-known methods first, grid by grid: a race may not pay for all.
    """
    each = {**{name: name for name in grids.NAMES}, **profiles}
    rest = [name for name in TABLE if name not in _FIRST]
    for names in (_FIRST, rest):
        for (label, grid), name in product(each.items(), names):
            options = {"schedule": schedule, "grid": grid, "start": start, "end": end}
            yield f"{name}, {label}", name, partial(construct, name, nfe, **options)
    for base in ("euler", "midpoint"):
        steps, rest = divmod(nfe, TABLE[base].stages)
        if rest or not steps:
            continue
        for sigma_0 in SIGMA_0:
            name = f"{base}, sigma_0={sigma_0:g}"
            make = partial(_scaled, base, steps, schedule, sigma_0, start, end)
            yield name, base, make


def _scaled(
    base: str, steps: int, schedule: Schedule, sigma_0: float, start: float, end: float
) -> Solver:
    family = scale_time(steps, base=base, start=start, end=end)
    path = Scaled(schedule, sigma_0)
    return jax.tree.map(
        np.asarray, family.build(from_schedules(family, schedule, path))
    )


def _gaps(start: Solver, schedule: Schedule) -> list[tuple[str, float]]:
    """The middles of the widest steps, in time and in log-SNR."""
    t = np.append(np.asarray(start.t, np.float64), float(start.end))
    l = np.asarray(schedule.log_snr(np.clip(t, 1e-4, 1 - 1e-4)))
    i, j = int(np.argmax(np.diff(t))), int(np.argmax(np.diff(l)))
    middle = float(schedule.time_at_log_snr((l[j] + l[j + 1]) / 2))
    return [
        (f"t={value:.3g}", value)
        for value in ((t[i] + t[i + 1]) / 2, middle)
        if t[0] < value < t[-1]
    ]


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"

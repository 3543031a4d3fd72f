"""What a tailored solver can start from: everything the library knows of one length."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from bespoke_jax import grids
from bespoke_jax.families import Family, from_schedules, insert, scale_time
from bespoke_jax.schedules import Scaled
from bespoke_jax.solvers import TABLE, construct
from bespoke_jax.table import Solver

SIGMA_0 = (2.0, 5.0)  # of the preconditioned paths that Euler and midpoint run on


class Start(NamedTuple):
    """A solver that a fit could start from, and how good it is on the pilot paths."""

    name: str
    score: float
    theta: Any


def candidates(
    family: Family,
    schedule: Any,
    nfe: int,
    end: float,
    starts: Sequence[Solver],
) -> Iterator[tuple[str, Any]]:
    """Everything of exactly nfe evaluations that lies in the family, each once."""
    for number, start in enumerate(starts):
        if start.nfe == nfe:
            yield f"given {number}", family.init(start)
        elif start.nfe == nfe - 1:
            for where, t in _gaps(start, schedule):
                larger = insert(start, t, schedule=schedule)
                yield f"given {number} + {where}", family.init(larger)
        else:
            raise ValueError(
                f"a start must have {nfe} or {nfe - 1} evaluations; got {start.nfe}."
            )
    seen = set()
    for name, make in _training_free(schedule, nfe, end):
        try:
            solver = make()
            theta = family.init(solver) if solver.nfe == nfe else None
        except ValueError:  # no such grid on this path, or not in the family
            continue
        if theta is not None:
            parts = [
                np.round(np.asarray(leaf, np.float64), 6) for leaf in theta.values()
            ]
            mark = b"".join(part.tobytes() for part in parts)
            if mark not in seen:
                seen.add(mark)
                yield name, theta


def _training_free(
    schedule: Any, nfe: int, end: float
) -> Iterator[tuple[str, Callable[[], Solver]]]:
    """Every solver of `TABLE` on every grid, and two on the path with scaled noise."""
    for name in TABLE:
        for grid in grids.NAMES:
            options = {"schedule": schedule, "grid": grid, "end": end}
            yield f"{name}, {grid}", partial(construct, name, nfe, **options)
    for base in ("euler", "midpoint"):
        steps, rest = divmod(nfe, TABLE[base].stages)
        if rest or not steps:
            continue
        family = scale_time(steps, base=base, end=end)
        for sigma_0 in SIGMA_0:
            path = Scaled(schedule, sigma_0)
            yield (
                f"{base}, sigma_0={sigma_0:g}",
                lambda family=family, path=path: jax.tree.map(
                    np.asarray,
                    family.build(from_schedules(family, schedule, path)),
                ),
            )


def _gaps(start: Solver, schedule: Any) -> list[tuple[str, float]]:
    """The middles of the widest steps, in time and in log-SNR."""
    t = np.append(np.asarray(start.t, np.float64), float(start.end))
    l = np.asarray(schedule.log_snr(np.clip(t, 1e-4, 1 - 1e-4)))
    i, j = int(np.argmax(np.diff(t))), int(np.argmax(np.diff(l)))
    middle = float(schedule.time_at_log_snr((l[j] + l[j + 1]) / 2))
    return [
        (f"t={value:.3g}", value)
        for value in ((t[i] + t[i + 1]) / 2, middle)
        if 0 < value < t[-1]
    ]


def diverse(measured: Sequence[Start], count: int) -> list[Start]:
    """The best starts, no two of one solver on different grids."""
    chosen: dict[str, Start] = {}
    for start in measured:
        chosen.setdefault(start.name.split(",")[0], start)
    return list(chosen.values())[:count]

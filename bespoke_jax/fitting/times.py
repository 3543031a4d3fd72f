"""The times of a regression: grids to begin with, and variable projection.

With times fixed, the rows are a least-squares problem (`regression`). So the end-point
residuals of the fitted solver are a function of the n - 1 inner times alone, r(t), and
Gauss-Newton steps on it,

    (H + lambda diag H) delta = -sum_s w_s J_s^T r_s,    J_s = d r_s / d t,

with w_s = 1 / e_s, find the times together with the rows. J is taken by differences:
moving t_j leaves the evaluations before it as they are, so that a step costs
n (n - 1) / 2 evaluations per path, and n for each damping tried.

Reference: Golub and Pereyra (1973), variable projection.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import numpy as np

from bespoke_jax import grids
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.fitting.least_squares import Normal, Products
from bespoke_jax.fitting.regression import Regressed, Rows

Maker = Callable[[int], np.ndarray]
"""n -> times t_0 .. t_n."""

_DIFFERENCE = 0.03  # of the smaller step beside a time
_MOST = 0.4  # that one iteration may move it, of that step
_FLAT = 1e-3
_WARPS = ((0.9, 1.0), (0.9, 1.15), (1.0, 1.15), (1.0, 1.3), (1.0, 1.5), (1.15, 1.5))


class Timed(NamedTuple):
    """A regression on times that were chosen for it."""

    name: str
    """Of the grid that the times come from."""
    fit: Regressed

    @property
    def times(self) -> np.ndarray:
        """(n + 1,)."""
        return self.fit.columns.times


def makers(
    schedule: Schedule,
    interval: tuple[float, float],
    profiles: Mapping[str, Maker] | None = None,
) -> Iterator[tuple[str, Maker]]:
    """Grids of any number of steps: the named ones, the caller's, and power grids.

    A power grid is t = start + (end - start) (1 - (1 - r^a)^b), r = 0 .. 1.
    """
    start, end = interval
    for name in grids.NAMES:
        yield (
            name,
            lambda n, name=name: grids.resolve(name, n, schedule, end, start=start),
        )
    yield from (profiles or {}).items()
    for a, b in _WARPS:

        def power(n: int, a: float = a, b: float = b) -> np.ndarray:
            r = np.linspace(0, 1, n + 1)
            return start + (end - start) * (1 - (1 - r**a) ** b)

        yield f"power {a:g}, {b:g}", power


def improve(
    rows: Rows,
    found: Timed,
    judge: Callable[[np.ndarray], np.floating],
    *,
    steps: int,
    tries: int = 4,
    most: float | int = math.inf,
    pay: Callable[[int], object],
) -> list[Timed]:
    """Regressions after each step of variable projection that lowers the judge.

    Args:
        rows: the pilots.
        found: their regression to begin with.
        judge: what is to be small, of per-sample errors.
        steps: at most.
        tries: dampings that a step tries.
        most: evaluations to spend.
        pay: told the evaluations spent.
    """
    n, damping, made = len(found.times) - 1, 1e-2, []

    def bill(evaluations: int) -> None:
        nonlocal most
        most -= evaluations
        pay(evaluations)

    for _ in range(steps if n > 1 else 0):
        if most < cost(n, rows.paths.size, 1):
            break
        try:
            normal = _normal_equations(rows, found, bill)
        except ValueError:  # a time beside these at which the solver diverges
            break
        e = found.fit.errors
        median = float(np.median(e))
        w = np.maximum(e, _FLAT * median)
        w = 1 / (w * (1 + w / median)) if rows.robust else 1 / w
        H = np.einsum("s,skl->kl", w, normal.G)
        gradient = np.einsum("s,sk->k", w, normal.b)
        for _ in range(tries):
            if most < rows.cost(n):
                return made
            diagonal = np.diag(np.diag(H) + 1e-12 * np.trace(H) + 1e-300)
            delta = np.linalg.solve(H + damping * diagonal, -gradient)
            moved = _try(rows, found, np.clip(delta, -_MOST, _MOST), bill)
            if moved is not None and judge(moved.fit.errors) < judge(e):
                damping, found = damping / 3, moved
                made.append(moved)
                break
            damping *= 4
        else:
            break
    return made


def cost(nfe: int, paths: int, tries: int) -> int:
    """Network evaluations of one step that tries that many dampings."""
    return paths * (nfe * (nfe - 1) // 2 + nfe * tries)


def _room(times: np.ndarray) -> np.ndarray:
    """(n - 1,) the smaller of the two steps beside each inner time."""
    steps = np.diff(times)
    return np.minimum(steps[:-1], steps[1:])


def _normal_equations(rows: Rows, found: Timed, pay: Callable[[int], object]) -> Normal:
    """J_s^T J_s / d and J_s^T r_s / d, with the times in units of `_room`."""
    times, products = found.times, Products()
    products.add("residual", _difference(found.fit.states[-1], found.fit.target, 1.0))
    names = []
    for j, room in enumerate(_room(times), start=1):
        moved = times.copy()
        moved[j] += _DIFFERENCE * room
        pay(rows.cost(len(times) - 1, j))
        end = rows.fit(moved, like=found.fit, moved=j).states[-1]
        names.append(f"t{j}")
        products.add(names[-1], _difference(end, found.fit.states[-1], _DIFFERENCE))
    return products.normal_equations(names, "residual")


def _difference(x: jax.Array, y: jax.Array, step: float) -> jax.Array:
    """(x - y) / step in float64."""
    with jax.enable_x64(True):
        return (x.astype(np.float64) - y.astype(np.float64)) / step


def _try(
    rows: Rows, found: Timed, delta: np.ndarray, pay: Callable[[int], object]
) -> Timed | None:
    times = found.times.copy()
    times[1:-1] += delta * _room(times)
    if not (np.diff(times) > 0).all():
        return None
    pay(rows.cost(len(times) - 1))
    try:
        return Timed(found.name, rows.fit(times))
    except ValueError:  # times at which the solver diverges
        return None

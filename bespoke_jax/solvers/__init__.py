"""Training-free solvers: one paper a file, each function returns a `Solver`.

`TABLE` lists them all with order, cost and source; it drives the command line, the
README's table and the contract tests.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NamedTuple

from bespoke_jax.solvers.runge_kutta import (
    TABLEAUX,
    Tableau,
    euler,
    heun,
    heun3,
    kutta3,
    midpoint,
    ralston,
    rk4,
    runge_kutta,
    tableau,
)
from bespoke_jax.table import Solver


class Entry(NamedTuple):
    """A constructor and what is known of it."""

    constructor: Callable[..., Solver]
    order: int
    """Order of convergence that the source claims; measured in the tests."""
    stages: int
    """Network evaluations per step."""
    takes: str
    """The keyword that sets its length: "steps" or "nfe"."""
    needs: tuple[str, ...]
    """What it cannot do without: () or ("schedule",)."""
    paper: str


def _runge_kutta(constructor: Callable[..., Solver], paper: str) -> Entry:
    method = TABLEAUX[constructor.__name__]
    return Entry(constructor, method.order, method.stages, "steps", (), paper)


TABLE: dict[str, Entry] = {
    "euler": _runge_kutta(euler, "Euler (1768)"),
    "midpoint": _runge_kutta(midpoint, "Runge (1895)"),
    "ralston": _runge_kutta(ralston, "Ralston (1962)"),
    "heun": _runge_kutta(heun, "Heun (1900)"),
    "kutta3": _runge_kutta(kutta3, "Kutta (1901)"),
    "heun3": _runge_kutta(heun3, "Heun (1900)"),
    "rk4": _runge_kutta(rk4, "Kutta (1901)"),
}


def construct(
    name: str,
    nfe: int,
    *,
    schedule: Any = None,
    grid: Any = None,
    end: float = 1.0,
) -> Solver:
    """The solver of that name with as many steps as `nfe` evaluations pay for.

    Args:
        name: a key of `TABLE`.
        nfe: evaluations to spend; the result has nfe - (nfe mod stages) of them.
        schedule: the model's schedule, for solvers and grids that need it.
        grid: a grid name or explicit times; None is the constructor's own default.
        end: the time of the sample, in (0, 1].

    Raises:
        ValueError: an unknown name (with the nearest known ones), or an nfe that does
            not pay for one step.
    """
    if name not in TABLE:
        near = get_close_matches(name, TABLE, n=3) or list(TABLE)
        raise ValueError(f"no solver is named {name!r}; nearest: {', '.join(near)}.")
    entry = TABLE[name]
    steps = nfe // entry.stages
    if steps < 1:
        raise ValueError(
            f"{name} spends {entry.stages} evaluations a step; nfe = {nfe} pays for "
            "none."
        )
    options = {} if grid is None else {"grid": grid}
    length = {entry.takes: steps if entry.takes == "steps" else nfe}
    return entry.constructor(schedule, **length, **options, end=end)


__all__ = [
    "TABLE",
    "TABLEAUX",
    "Entry",
    "Tableau",
    "construct",
    "euler",
    "heun",
    "heun3",
    "kutta3",
    "midpoint",
    "ralston",
    "rk4",
    "runge_kutta",
    "tableau",
]

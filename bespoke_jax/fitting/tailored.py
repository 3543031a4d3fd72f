"""What a search returns: a solver for one budget, or for each of several."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, SupportsFloat

from bespoke_jax.core import checks
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Theta
from bespoke_jax.families import Family
from bespoke_jax.fitting.candidates import Dropped
from bespoke_jax.fitting.conditions import Basis
from bespoke_jax.fitting.history import History
from bespoke_jax.fitting.race import Start
from bespoke_jax.reference.paths import Paths


class Tailored(NamedTuple):
    """A tailored solver and how it came about."""

    theta: Theta
    """Numbers of the family; with a condition, leaves (K, ...) for the basis."""
    solver: Solver | Conditional
    family: Family
    basis: Basis
    """In which theta depends on the condition."""
    start: str
    """What led to it."""
    starts: tuple[Start, ...]
    """The training-free and given solvers that were measured, best first."""
    grids: tuple[str, ...]
    """Names of the grids that regressions were tried on, best first."""
    history: History
    """One entry per step; the first are the best of `starts` and the regressions. rmse
    is the choosing paths' score of the best iterate so far. Evaluations include
    everything that was spent on this budget, and the ground truth."""
    judge: str
    """"mean" or "median": what the scores are, over samples, of the RMS errors."""
    rmse: float
    """Score of the solver on the paths that chose nothing."""
    start_rmse: float
    """Score of the best of `starts` on the same paths."""
    scored: int
    """How many paths these are."""
    paths: Paths
    """The ground truth, solved for or given."""
    dropped: tuple[Dropped, ...]
    """What failed on the way, and why."""

    @property
    def loss(self) -> str:
        """What was made small, in words."""
        return f"robust end-point errors, judged by their {self.judge}"

    @property
    def generic(self) -> Start:
        """The best of the training-free solvers that were measured.

        Raises:
            ValueError: none was.
        """
        for start in self.starts:
            if not start.given:
                return start
        raise ValueError("no training-free solver was measured; give a larger budget.")

    @property
    def evaluations(self) -> int:
        """Network evaluations spent, ground truth and scores included."""
        return int(self.history.evaluations[-1])

    def at(self, condition: SupportsFloat | None = None) -> Solver:
        """The solver, for one condition if it depends on one.

        Raises:
            ValueError: a condition that is missing, out of range, or not fitted for.
        """
        if isinstance(self.solver, Conditional):
            if condition is None:
                raise ValueError(
                    "this solver depends on a condition from "
                    f"{self.solver.low:g} to {self.solver.high:g}; give condition=."
                )
            return self.solver.at(condition)
        if condition is not None:
            raise ValueError(
                "this solver was fitted without a condition; leave condition out."
            )
        return self.solver


@dataclass(frozen=True)
class TailoredSet:
    """Tailored solvers of several budgets, which share their ground truth."""

    members: tuple[Tailored, ...]
    """By increasing NFE."""
    evaluations: int
    """Network evaluations spent on all of them, the ground truth once."""
    seconds: float
    """Wall-clock time of all of them."""

    @property
    def budgets(self) -> tuple[int, ...]:
        """The NFE, increasing."""
        return tuple(member.solver.nfe for member in self.members)

    @property
    def paths(self) -> Paths:
        """The ground truth."""
        return self.members[0].paths

    def __getitem__(self, nfe: object) -> Tailored:
        """The solver of a budget.

        Raises:
            ValueError: a budget that was not fitted.
        """
        if nfe not in self.budgets:
            known = ", ".join(map(str, self.budgets))
            raise ValueError(
                f"no solver of {checks.shown(nfe)} NFE; there are {known}."
            )
        return self.members[self.budgets.index(nfe)]

    def __iter__(self) -> Iterator[Tailored]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def at(self, *, nfe: int, condition: SupportsFloat | None = None) -> Solver:
        """The solver of a budget, for one condition if it depends on one.

        Raises:
            ValueError: as `[nfe]` and `Tailored.at`.
        """
        return self[nfe].at(condition)

"""What a card holds. These records are also the file's layout and its checks."""

from collections.abc import Callable
from typing import Any, NamedTuple, SupportsFloat, SupportsIndex, get_type_hints

from bespoke_jax.cards.values import (
    Count,
    Instant,
    Judge,
    Measure,
    Real,
    ScheduleRecord,
    Text,
    Versions,
)
from bespoke_jax.core import checks
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.solver import Solver


class Validation(NamedTuple):
    """Errors measured on samples that chose nothing.

    Cards of format 1 record neither judge nor paths: their errors are of the paths
    that chose the iterate.
    """

    rmse: Measure = None
    """RMSE of the solver (per-sample RMS)."""
    start_rmse: Measure = None
    """RMSE of the solver that the fit started from, on the same samples."""
    judge: Judge = None
    """"mean" or "median": how the errors of the samples were combined."""
    paths: Count = None
    """Number of samples."""


class Truth(NamedTuple):
    """How exact the ground truth was."""

    rtol: Measure = None
    atol: Measure = None
    certificate: Measure = None
    """Measured RMSE against a ten times tighter solve."""


class Cost(NamedTuple):
    """What it took to make the solver."""

    evaluations: Count = None
    """Network evaluations of single samples, ground truth included."""
    seconds: Measure = None
    """Wall-clock time, ground truth included."""


class Card(NamedTuple):
    """A solver with its provenance; None and "" mean "not recorded".

    Entries of the nested records can also be read from the card, as from a `Fitted`:
    `card.rmse` is `card.validation.rmse`.
    """

    solver: Solver | Conditional
    """Runs from solver.t[0] to solver.end; NumPy leaves. A `Conditional` holds a solver
    for every value of a number, see `condition`; `at` takes one of them."""
    created: Instant = ""
    """ISO 8601, in UTC."""
    versions: Versions = None
    """Of the library, Python and what the solver was made with."""
    model: Text = ""
    schedule: ScheduleRecord = None
    """The model's schedule, as `schedules.to_dict` gives it."""
    guidance: Real = None
    """Weight of the classifier-free guidance inside the field."""
    condition: Text = ""
    """Name of the number that a `Conditional` depends on, such as "guidance"."""
    family: Text = ""
    loss: Text = ""
    validation: Validation = Validation()
    ground_truth: Truth = Truth()
    cost: Cost = Cost()
    seed: Count = None
    notes: Text = ""

    def at(
        self,
        nfe: SupportsIndex | None = None,
        condition: SupportsFloat | None = None,
    ) -> Solver:
        """The solver, for one value of the condition where it depends on one.

        Args:
            nfe: its network evaluations; None takes what the card has.
            condition: a number in the range of a `Conditional`, for which it is
                required; None for a plain solver.

        Raises:
            ValueError: another nfe; a condition that is missing, out of range, or of no
                meaning for a plain solver.
        """
        solver = self.solver
        if nfe is not None and checks.whole("nfe", nfe) != solver.nfe:
            raise ValueError(f"this card has a solver of {solver.nfe} NFE, not {nfe}.")
        if isinstance(solver, Conditional):
            if condition is None:
                raise ValueError(
                    f"this solver depends on {self.condition or 'a number'}: give "
                    f"condition=, in {solver.low:g} .. {solver.high:g}."
                )
            return solver.at(condition)
        if condition is not None:
            raise ValueError(
                "this solver depends on no condition; leave condition= out."
            )
        return solver

    def __getattr__(self, name: str) -> Any:
        if name not in NESTED:
            raise AttributeError(f"a card has no {name!r}")
        return getattr(getattr(self, NESTED[name]), name)


Check = Callable[[str, Any], Any]


def checks_of(record: type) -> dict[str, Check]:
    """Entry to check, for the entries of a record that are plain values."""
    hints = get_type_hints(record, include_extras=True)
    return {
        k: h.__metadata__[0] for k, h in hints.items() if hasattr(h, "__metadata__")
    }


RECORDS: dict[str, type] = {
    "validation": Validation,
    "ground_truth": Truth,
    "cost": Cost,
}
NESTED = {entry: name for name, kind in RECORDS.items() for entry in checks_of(kind)}
"""Entry of a nested record to the name of the record."""
PROVENANCE = tuple(name for name in Card._fields if name != "solver")
OF_BUDGET = ("family", "loss", "validation", "ground_truth", "cost", "notes")
"""What each card of a set has of its own, beside its solver."""
SHARED = tuple(name for name in PROVENANCE if name not in OF_BUDGET)
"""What the cards of a set have in common."""

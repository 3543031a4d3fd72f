"""What DPM-Solver and DPM-Solver++ share: one constructor per number of predictions.

Both papers' methods are the steps of `exponential` on one kind of prediction. The
functions here return the constructor for a kind, under its public name; the two papers'
files hold the names and formulas.
"""

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike, Layout
from bespoke_jax.solvers import exponential
from bespoke_jax.solvers.exponential import Kind
from bespoke_jax.solvers.loops import budget, places
from bespoke_jax.solvers.naming import named

PAPER = {2: (0.5,), 3: (1 / 3, 2 / 3)}
"""Places of the stages in the papers, by the order of the step."""


def two_stage(kind: Kind, name: str, doc: str):
    """The constructor of a singlestep method of order 2."""

    def solver(
        schedule: Schedule,
        *,
        nfe: Count,
        mode: str = "fixed",
        grid: GridLike = "log_snr",
        start: Number = 0.0,
        end: Number = 1 - 1e-3,
        r1: float | int | str = 0.5,
        variant: str = "dpmsolver",
        denoise: bool = False,
    ) -> Solver:
        r = places(r1)
        return exponential.singlestep(
            kind,
            Layout(schedule, grid, start, end),
            budget(nfe, 2, mode),
            None if r is None else {2: r},
            variant,
            denoise,
        )

    return named(solver, name, doc)


def three_stage(kind: Kind, name: str, doc: str):
    """The constructor of a singlestep method of order 3."""

    def solver(
        schedule: Schedule,
        *,
        nfe: Count,
        mode: str = "fixed",
        grid: GridLike = "log_snr",
        start: Number = 0.0,
        end: Number = 1 - 1e-3,
        r1: float | int | str = 1 / 3,
        r2: float | int = 2 / 3,
        variant: str = "dpmsolver",
        denoise: bool = False,
    ) -> Solver:
        r = places(r1, r2)
        # A step of order 2 at the end takes r1, and 1/2 with the papers' places.
        ratios = None if r is None else PAPER if r == PAPER[3] else {2: r[:1], 3: r}
        return exponential.singlestep(
            kind,
            Layout(schedule, grid, start, end),
            budget(nfe, 3, mode),
            ratios,
            variant,
            denoise,
        )

    return named(solver, name, doc)


def multistep(kind: Kind, order: int, name: str, doc: str):
    """The constructor of a multistep method of order 2 or 3."""

    def solver(
        schedule: Schedule,
        *,
        nfe: Count,
        grid: GridLike = "log_snr",
        start: Number = 0.0,
        end: Number = 1 - 1e-3,
        variant: str = "dpmsolver",
        lower_order_final: bool = True,
        denoise: bool = False,
    ) -> Solver:
        return exponential.multistep(
            kind,
            Layout(schedule, grid, start, end),
            order,
            nfe,
            variant,
            lower_order_final,
            denoise,
        )

    return named(solver, name, doc)

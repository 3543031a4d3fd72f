"""The best fixed-budget solvers for one model, found by regression and descent.

1. Ground truth by diffrax, of as many noises as half the budget pays for. The paths
   are split in three: some fit, some choose, and some only score the result.
2. Training-free solvers on every grid, and the solvers that the caller brings, race by
   successive halving: what there is without a fit.
3. Rows by regression on several grids; the times of the best by variable projection.
   For the effort "seconds" that is all.
4. Incremental Gauss-Newton steps on all numbers of the best, a non-stationary family.
   Where the median is what counts, errors count relative to it. What is left pays for
   the same from other grids.
5. The best on the choosing paths is returned. The starts are among what is chosen from,
   so it is never worse there than the best of them.

Of several budgets each starts from its smaller neighbour too, if that is better.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import jax
import numpy as np

from bespoke_jax import fields, grids
from bespoke_jax.core import checks
from bespoke_jax.core.batches import rows
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.calls import as_field, as_states
from bespoke_jax.core.protocols import Schedule, VelocityField
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.core.types import Arr, Conditioning
from bespoke_jax.families import Family, nonstationary
from bespoke_jax.families.family import check_interval
from bespoke_jax.fitting import identity, times
from bespoke_jax.fitting.candidates import Dropped, candidates
from bespoke_jax.fitting.conditions import (
    CONSTANT,
    Basis,
    ConditionLike,
    basis_of,
    checked,
    evenly,
)
from bespoke_jax.fitting.data import Data
from bespoke_jax.fitting.effort import EFFORTS, starts_for
from bespoke_jax.fitting.journal import Journal
from bespoke_jax.fitting.problem import Problem
from bespoke_jax.fitting.recipe import Recipe, budgets
from bespoke_jax.fitting.search import Parts, search
from bespoke_jax.fitting.splits import three_way
from bespoke_jax.fitting.tailored import Tailored, TailoredSet
from bespoke_jax.fitting.times import Maker
from bespoke_jax.fitting.truth import Flow, ground_truth
from bespoke_jax.grids import OptimalSteps, Profile
from bespoke_jax.reference.paths import Paths, take
from bespoke_jax.schedules import CondOT

_MEASURED = 32  # paths that grids are measured on
_TRIED = 3  # of a smaller budget's best grids


@overload
def tailor(
    field: VelocityField,
    x0: Arr | Paths,
    *,
    nfe: int,
    key: jax.Array,
    schedule: Schedule | None = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
    c: Conditioning = None,
    condition: ConditionLike | None = None,
    degree: int = 2,
    starts: Sequence[Solver] = (),
    judge: str = "mean",
    effort: str = "best",
    validation: float | Paths = 0.2,
    test: float | Paths = 0.2,
    probes: int = 3,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    tolerance: float | None = None,
    batch_size: int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Tailored: ...
@overload
def tailor(
    field: VelocityField,
    x0: Arr | Paths,
    *,
    nfe: Sequence[int],
    key: jax.Array,
    schedule: Schedule | None = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
    c: Conditioning = None,
    condition: ConditionLike | None = None,
    degree: int = 2,
    starts: Sequence[Solver] = (),
    judge: str = "mean",
    effort: str = "best",
    validation: float | Paths = 0.2,
    test: float | Paths = 0.2,
    probes: int = 3,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    tolerance: float | None = None,
    batch_size: int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> TailoredSet: ...
def tailor(
    field: VelocityField,
    x0: Arr | Paths,
    *,
    nfe: int | Sequence[int],
    key: jax.Array,
    schedule: Schedule | None = None,
    start: float | int = 0.0,
    end: float | int = 1.0,
    c: Conditioning = None,
    condition: ConditionLike | None = None,
    degree: int = 2,
    starts: Sequence[Solver] = (),
    judge: str = "mean",
    effort: str = "best",
    validation: float | Paths = 0.2,
    test: float | Paths = 0.2,
    probes: int = 3,
    evaluations: float | int | None = None,
    seconds: float | int | None = None,
    tolerance: float | None = None,
    batch_size: int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Tailored | TailoredSet:
    """The most accurate solver of `nfe` evaluations that this recipe finds for a field.

    Args:
        field: the velocity field.
        x0: (N, *shape) states at `start`: a few hundred, or 32 and more for the effort
            "seconds"; or their `Paths`, solved for already (what these cost counts as
            spent; rows by regression need dense ones).
        nfe: network evaluations of one sample; several budgets give a `TailoredSet`.
        key: source of the random probes.
        schedule: path of the model; None is the one that the field was made with
            (`fields.schedule_of`), or CondOT. It sets the scaling of the family and
            which training-free solvers can be tried.
        start: start of the interval, in [0, end); above 0 where x0 is not pure noise.
        end: end of the interval, in (start, 1].
        c: conditioning of x0, leading axis N.
        condition: (N,) a number of each sample that its solver may depend on, such as
            the guidance weight that travels in c, spread over the range that the solver
            is for, in any order; None is one solver for all.
        degree: of the polynomials in the condition.
        starts: further solvers to start from, of at most nfe evaluations (to shorter
            ones, evaluations are added that nothing looks at; the result is then never
            worse than that solver on the choosing paths).
        judge: "mean" or "median" of the per-sample RMS errors, what is to be small.
        effort: "seconds", regression alone on a few dozen paths, or "best". What it
            spends on each budget, beyond the ground truth, is bounded (`EFFORTS`: 2,500
            evaluations; 3,700 solves up to 8 NFE, 79,000 evaluations above) unless
            `evaluations` or `seconds` is given.
        validation: fraction of the paths that choose among iterates, or other Paths.
        test: fraction of the paths that choose nothing and give the scores reported, or
            other Paths.
        probes: reverse passes per sample and step; samples of no more numbers than
            that have exact derivatives.
        evaluations: network evaluations of single samples to spend at most, everything
            included (forward 1, reverse 2 more). At most half goes into the ground
            truth, which may then be of fewer noises than N.
        seconds: wall-clock to spend at most, everything included. Checked between
            steps: the last one is not begun unless it fits.
        tolerance: relative and absolute tolerance of the ground truth; None is 1e-5 for
            the effort "best", and for "seconds" about a tenth of the error of the
            solvers that are to be expected (`reference.solve_for`).
        batch_size: samples in one network call, which bounds memory; None is 128 for
            the ground truth and 64 or more for the fit.
        directory: where to keep ground truth and steps: the same call goes on there,
            and returns at once where it had ended.
        progress: show a progress bar.

    Returns:
        `Tailored`, or a `TailoredSet` where nfe is a sequence. With a condition, their
        solvers are `Conditional`, and `.at(condition=w)` gives a plain one.

    Raises:
        ValueError: arguments out of range, no start that solves the field, a field
            whose samples are not independent, a directory that holds another run, or
            (`TooLittle`) a budget that does not pay for the least that is needed.
    """
    checks.random_key("key", key)
    recipe = Recipe(
        budgets(nfe), judge, effort, validation, test, probes, degree, tolerance,
        batch_size,
    ).checked()  # fmt: skip
    budget, folder = Budget(evaluations, seconds), _folder(directory)
    flow = _flow(field, schedule, check_interval(start, end))
    _check_starts(starts, flow, recipe.nfe)
    if condition is not None:
        x0, c, condition = _mixed(x0, c, condition, recipe.degree)
    paths = ground_truth(flow, x0, c, recipe, budget, folder, progress=progress)
    given = identity.of_noises("x0", x0 if isinstance(x0, Paths) else (x0, c))
    settings = _settings(recipe, budget) | given | _measured(flow, paths, key, starts)
    if condition is not None:
        settings["condition"] = condition
    budget.pay(identity.PROBE_COST)
    with Journal(folder and folder / "tailor", settings, budget) as journal:
        # Where seconds bound the truth, the first run decides how many paths there are.
        (size,) = journal.once(lambda: [paths.size])
        paths = take(paths, slice(0, int(size)))
        parts, basis = _parts(paths, condition, recipe)
        problem = Problem(
            flow.field, _family(flow, recipe.nfe[0]), basis, recipe, recipe.nfe[0], key,
            budget, journal, progress,
        )  # fmt: skip
        found = tuple(_each(problem, flow, parts, paths, starts))
    if isinstance(nfe, Sequence | np.ndarray):
        return TailoredSet(found, budget.spent, budget.elapsed)
    return found[0]


def _folder(directory: str | Path | None) -> Path | None:
    return None if directory is None else checks.path("directory", directory)


def _flow(
    field: VelocityField, schedule: Schedule | None, interval: tuple[float, float]
) -> Flow:
    field = as_field(field)
    return Flow(field, schedule or fields.schedule_of(field) or CondOT(), interval)


def _check_starts(starts: Sequence[Solver], flow: Flow, budgets: Sequence[int]) -> None:
    """Refuse what cannot be a start before anything is spent."""
    checks.instance("starts", starts, list | tuple, "a list of solvers")
    for one in starts:
        if validate(one).nfe > max(budgets):
            raise ValueError(
                f"a start must have at most {max(budgets)} evaluations; got {one.nfe}."
            )
        _family(flow, one.nfe).init(one)


def _mixed(
    x0: Arr | Paths, c: Conditioning, condition: ConditionLike, degree: int
) -> tuple[Arr | Paths, Conditioning, np.ndarray]:
    """The samples in an order in which all parts of them see all conditions."""
    x0 = x0 if isinstance(x0, Paths) else as_states(x0, c)
    values = checked(condition, x0.size if isinstance(x0, Paths) else len(x0))
    basis_of(values, degree)  # too few are refused before anything is spent
    order = evenly(values)
    if isinstance(x0, Paths):
        return take(x0, order), c, values[order]
    return *rows((x0, c), order), values[order]


def _parts(
    paths: Paths, condition: np.ndarray | None, recipe: Recipe
) -> tuple[Parts, Basis]:
    """The paths in three parts, with their conditions."""
    split = three_way(paths, recipe.validation, recipe.test)
    if condition is None:
        return Parts(*(Data(part, like=paths.x0) for part in split)), CONSTANT
    if isinstance(recipe.validation, Paths) or isinstance(recipe.test, Paths):
        raise ValueError(
            "with a condition, validation and test must be fractions of the paths, "
            "whose conditions are known."
        )
    # As many as x0 had; a budget may have paid for the first of them.
    values = condition[: paths.size]
    basis = basis_of(values, recipe.degree)
    sizes = np.cumsum([part.size for part in split])[:-1]
    phi = np.split(basis(values), sizes)
    found = zip(split, phi, strict=True)
    return Parts(*(Data(part, basis, paths.x0) for part, basis in found)), basis


def _each(
    problem: Problem, flow: Flow, parts: Parts, paths: Paths, starts: Sequence[Solver]
) -> Iterator[Tailored]:
    """The search of each budget, in its share of what is left."""
    recipe, budget = problem.recipe, problem.budget
    shared = budget.spent
    free = budget.bounded or math.isfinite(budget.seconds)
    below: list[Tailored] = []
    profiles = _profiles(flow, parts.training.paths)
    for place, nfe in enumerate(recipe.nfe):
        level, share = EFFORTS[recipe.effort], nfe / sum(recipe.nfe[place:])
        most = share * budget.left if free else level.most(nfe)
        left = share * (budget.seconds - budget.elapsed)
        mine = [one for one in starts if one.nfe <= nfe]
        mine += [one.solver for one in below if isinstance(one.solver, Solver)]
        found, dropped = candidates(
            _family(flow, nfe), flow.path, nfe, flow.interval, mine, profiles,
            most=starts_for(most / nfe) + len(mine),
        )  # fmt: skip
        measured = {name: one.grid for name, one in profiles.items()}
        near = measured | _neighbours(below)
        makers = list(times.makers(flow.path, flow.interval, near))
        if below:  # which grids suit this field is known from the smaller budget
            best = (*near, *below[0].grids[:_TRIED])
            makers = [one for one in makers if one[0] in best]
        if nfe > 1 and paths.slopes is None:
            reason = "the paths have end points alone; solve with dense=True"
            dropped, makers = [*dropped, Dropped("regressions", reason)], []
        own = problem._replace(family=_family(flow, nfe), nfe=nfe)
        with budget.share(most, left):
            made = search(own, flow.path, parts, paths, found, dropped, makers, shared)
        below = [made]
        yield made


def _profiles(flow: Flow, paths: Paths) -> dict[str, Profile | OptimalSteps]:
    """Grids measured on the first paths, where they are dense."""
    if paths.slopes is None:
        return {}
    few = take(paths, slice(0, min(_MEASURED, paths.size)))
    return {
        "acceleration": grids.profile(few),
        "optimal": grids.optimal_steps(few, schedule=flow.path),
    }


def _neighbours(below: Sequence[Tailored]) -> dict[str, Maker]:
    """Grids that follow the times of smaller budgets."""

    def like(solver: Solver) -> Maker:
        known = np.append(np.asarray(solver.t, np.float64), float(solver.end))
        at = np.linspace(0, 1, len(known))
        return lambda n: np.interp(np.linspace(0, 1, n + 1), at, known)

    found = {}
    for one in below:
        middle = (one.basis.low + one.basis.high) / 2
        plain = isinstance(one.solver, Solver)
        solver = one.at() if plain else one.at(middle)
        found[f"as at {solver.nfe} NFE"] = like(solver)
    return found


def _family(flow: Flow, nfe: int) -> Family:
    start, end = flow.interval
    return nonstationary(nfe, schedule=flow.path, start=start, end=end)


def _settings(recipe: Recipe, budget: Budget) -> dict[str, Any]:
    """What tells the settings of a run from those of others."""
    bound = lambda value: value if math.isfinite(value) else None
    return {
        "nfe": list(recipe.nfe), "judge": recipe.judge, "effort": recipe.effort,
        "probes": recipe.probes, "degree": recipe.degree,
        "evaluations": bound(budget.evaluations), "seconds": bound(budget.seconds),
        "tolerance": recipe.tolerance, "batch_size": recipe.batch_size,
        **identity.of_noises("validation", recipe.validation),
        **identity.of_noises("test", recipe.test),
    }  # fmt: skip


def _measured(
    flow: Flow, paths: Paths, key: jax.Array, starts: Sequence[Solver]
) -> dict[str, Any]:
    """What tells the functions of a run from those of others.

    Arrays are compared with a tolerance: they differ in their last digits on other
    devices.
    """
    return {
        "key": identity.of_key(key),
        "interval": list(flow.interval),
        "starts": np.concatenate([[0.0], *map(identity.of_solver, starts)]),
        "schedule": np.ravel(flow.path(np.linspace(*flow.interval, 5))),
        "field": identity.of_field(flow.field, paths, *flow.interval),
    }

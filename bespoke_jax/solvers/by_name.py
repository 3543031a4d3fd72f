"""The solver of a name at a budget."""

from bespoke_jax.core import checks
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.grids import GridLike
from bespoke_jax.solvers.registry import find, names


def construct(
    name: str,
    nfe: Count,
    *,
    schedule: Schedule | None = None,
    grid: GridLike | None = None,
    start: Number | None = None,
    end: Number | None = None,
) -> Solver:
    """The solver of that name with as many steps as `nfe` evaluations pay for.

    Args:
        name: a key of `TABLE`, or an alias of one.
        nfe: evaluations to spend; methods of several stages leave nfe mod stages of
            them unused, unless they spend a remainder on lower orders.
        schedule: the model's schedule, for solvers and grids that need it.
        grid: a grid name or explicit times; None is the constructor's own default.
        start: the time of the first state, in [0, end); None is 0, the noise.
        end: the time of the sample, in (0, 1]; None is the constructor's own default.

    Raises:
        ValueError: an unknown name (with the nearest known ones), an nfe that does not
            pay for one step, a missing schedule, or what the constructor refuses.
    """
    entry = find(name)
    if entry is None:
        near = checks.nearest(str(name), names(), cutoff=0.0)
        raise ValueError(
            f"no solver is named {checks.shown(name)}; nearest: {', '.join(near)}."
        )
    if checks.whole("nfe", nfe) < entry.stages:
        raise ValueError(
            f"{name} spends {entry.stages} evaluations a step; nfe = {nfe} pays for "
            "none."
        )
    if schedule is None and "schedule" in entry.needs:
        raise ValueError(f"{name} needs the model's schedule; pass schedule=....")
    options = {"grid": grid, "start": start, "end": end}
    given = {key: value for key, value in options.items() if value is not None}
    return entry.constructor(schedule, nfe=nfe, **given)

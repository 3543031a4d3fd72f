"""What a search found, in sentences."""

from collections.abc import Sequence

from bespoke_jax.core.conditional import Conditional
from bespoke_jax.fitting.candidates import Dropped
from bespoke_jax.fitting.tailored import Tailored, TailoredSet

_MOST = 5  # reasons that are told


def findings(found: Tailored | TailoredSet, condition: str = "") -> list[str]:
    """The error and that of the best start, the cost, and what was left out.

    Args:
        found: what `tailor` returned; of several budgets each has a line of its own.
        condition: name of the number that its solvers depend on, if they do.
    """
    members = (found,) if isinstance(found, Tailored) else found.members
    solved = members[0].paths.stats
    cost = f"{found.evaluations:.3g} network evaluations"
    if isinstance(found, Tailored):
        cost = f"{len(found.history.rmse) - 1} steps, {cost}"
    if solved is not None:
        paths = members[0].paths.size
        cost += f", {solved.evaluations:.3g} of them for {paths} exact paths"
    dropped = dict.fromkeys(one for member in members for one in member.dropped)
    return [
        *(_error(member, condition) for member in members),
        f"{cost}.",
        *left_out(tuple(dropped)),
    ]


def _error(member: Tailored, condition: str) -> str:
    """The error of one budget, and over which conditions it is taken."""
    solver, over = member.solver, ""
    if isinstance(solver, Conditional):
        name = condition or "condition"
        over = f" over {name} in {solver.low:g} .. {solver.high:g}"
    return (
        f"{member.judge.capitalize()} RMSE {member.rmse:.4g} at {solver.nfe} "
        f"NFE{over}, on paths that chose nothing; the best of {len(member.starts)} "
        f"starts had {member.start_rmse:.4g}."
    )


def left_out(dropped: Sequence[Dropped]) -> list[str]:
    """For each reason how many candidates were left out, and the first of them."""
    reasons: dict[str, list[str]] = {}
    for name, reason in dropped:
        reasons.setdefault(reason, []).append(name)
    return [
        f"Left out: {names[0]}"
        + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        + f" ({reason})."
        for reason, names in list(reasons.items())[:_MOST]
    ]

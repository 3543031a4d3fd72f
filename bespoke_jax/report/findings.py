"""What a search found, in sentences."""

from collections.abc import Sequence

from bespoke_jax.fitting.candidates import Dropped
from bespoke_jax.fitting.tailored import Tailored

_MOST = 5  # reasons that are told


def findings(found: Tailored) -> list[str]:
    """The error and that of the best start, the cost, and what was left out."""
    nfe, truth = found.solver.nfe, found.paths
    cost = (
        f"{len(found.history.rmse) - 1} steps, {found.evaluations:.3g} network "
        "evaluations"
    )
    if truth.stats is not None:
        solved = truth.stats.evaluations
        cost += f", {solved:.3g} of them for {truth.size} exact paths"
    return [
        f"{found.judge.capitalize()} RMSE {found.rmse:.4g} at {nfe} NFE, on paths that "
        f"chose nothing; the best of {len(found.starts)} starts had "
        f"{found.start_rmse:.4g}.",
        f"{cost}.",
        *left_out(found.dropped),
    ]


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

"""A comparison in plain words: the solver to use at each budget, and its caveats.

Two solvers are told apart by their errors on the same noises: where the mean of the
differences is more than twice its standard error.
"""

from collections.abc import Sequence

import numpy as np

from bespoke_jax.metrics import Point
from bespoke_jax.reference.paths import Paths


def told_apart(one: Point, other: Point) -> bool:
    """Whether two solvers' mean errors differ by more than chance explains."""
    difference = np.asarray(one.errors) - np.asarray(other.errors)
    return bool(abs(difference.mean()) > 2 * _standard_error(difference))


def best(points: Sequence[Point], nfe: int) -> Point:
    """The lowest mean RMSE that at most `nfe` evaluations buy."""
    return min((p for p in points if p.nfe <= nfe), key=lambda p: p.error)


def recommend(points: Sequence[Point]) -> list[str]:
    """One sentence for each NFE: what to take, and by how much it leads."""
    budgets = sorted({p.nfe for p in points})
    lines = []
    for less, nfe in zip([0, *budgets], budgets, strict=False):
        first = best(points, nfe)
        if first.nfe <= less:
            lines.append(
                f"With at most {nfe}: still {_called(first)}; more gains nothing here."
            )
        else:
            lines.append(_at_most(points, first, nfe))
    return lines


def on_front(points: Sequence[Point], point: Point) -> bool:
    """Whether no other solver has a lower mean error for as few evaluations."""
    return point is best(points, point.nfe)


def _at_most(points: Sequence[Point], first: Point, nfe: int) -> str:
    text = (
        f"With at most {nfe} network evaluations: {_called(first, nfe)}, RMSE "
        f"{_number(first.rmse.mean)} (95 % interval {_number(first.rmse.low)} to "
        f"{_number(first.rmse.high)})"
    )
    others = [p for p in points if p.nfe <= nfe and p.name != first.name]
    if others:
        second = best(others, nfe)
        ratio = second.error / first.error if first.error else np.inf
        if not np.isfinite(ratio):
            text += f"; the next, {_called(second, nfe)}, has {_number(second.error)}"
        elif told_apart(first, second):
            text += f"; the next, {_called(second, nfe)}, has {ratio:.3g} times that"
        else:
            text += (
                f"; {_called(second, nfe)} cannot be told apart from it on these "
                f"{len(first.errors)} noises"
            )
    if first.fitted:
        text += ". " + _instead(first, points)
    return text + "."


def _instead(fitted: Point, points: Sequence[Point]) -> str:
    """What a training-free solver has to spend for the error of a fitted one."""
    free = [p for p in points if not p.fitted]
    enough = [p for p in free if p.error <= fitted.error]
    if enough:
        first = min(enough, key=lambda p: (p.nfe, p.error))
        return (
            "Of the training-free solvers compared, the first to come as close is "
            f"{first.name} at {first.nfe}"
        )
    if not free:
        return "No training-free solver was compared with it"
    most = max(p.nfe for p in free)
    return f"No training-free solver here comes that close, up to {most} evaluations"


def cautions(points: Sequence[Point], paths: Paths) -> list[str]:
    """What a reader must know before quoting the figures."""
    notes = []
    diverged = [_called(p) for p in points if not np.isfinite(p.error)]
    if diverged:
        notes.append(f"Not finite, at least on some noises: {', '.join(diverged)}.")
    flipping = [p for p in points if p.rmse.flip_rate > 0.05]
    if flipping:
        worst = max(flipping, key=lambda p: p.rmse.flip_rate)
        notes.append(
            f"{len(flipping)} of {len(points)} rows have a flip rate above 5 % (most: "
            f"{_called(worst)}, {100 * worst.rmse.flip_rate:.0f} %): that share of "
            "the samples is off by more than a tenth of the distance between "
            "independent samples. Where the mean is far above the median, those "
            "samples dominate it."
        )
    if paths.certificate is not None:
        floor = float(paths.certificate.endpoint)
        near = [p for p in points if p.error < 10 * floor]
        notes.append(
            f"The exact samples are themselves off by at most {_number(floor)} (RMS, "
            f"{paths.certificate.samples} of them solved again)"
            + (
                f": the errors of {', '.join(map(_called, near))} are within ten times "
                "of that; solve at a smaller tolerance before comparing them."
                if near
                else ", well below every error here."
            )
        )
    if paths.size < 100:
        notes.append(
            f"{paths.size} noises are few: the intervals are wide, and a bootstrap "
            "from so few is itself uncertain."
        )
    return notes


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _called(point: Point, budget: int = 0) -> str:
    """The name, with the NFE unless it is the budget just spoken of."""
    return point.name if point.nfe == budget else f"{point.name} at {point.nfe} NFE"


def _number(value: float) -> str:
    return f"{value:.3g}"

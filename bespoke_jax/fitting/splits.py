"""Ground-truth paths in three parts: to fit on, to choose by, and to report on.

An error is a fair report only on paths that chose nothing: those that choose the best
of many iterates make it look better than it is.
"""

from typing import NamedTuple

from bespoke_jax.core.checks import real
from bespoke_jax.reference.paths import Paths, check_paths, take


class Split(NamedTuple):
    """Three disjoint parts of the ground truth."""

    training: Paths
    validation: Paths
    """These choose the iterate."""
    test: Paths
    """These choose nothing; reported errors are theirs."""


def three_way(
    paths: Paths, validation: float | int | Paths, test: float | int | Paths
) -> Split:
    """Training, validation and test paths.

    Args:
        paths: N paths.
        validation, test: each a fraction of the N paths, in (0, 1), or other Paths.
            Fractions are taken from the last paths, those for the test at the very
            end; each is at least one path.

    Raises:
        ValueError: a fraction out of range, or too few paths for a part.
    """
    check_paths(paths)
    counts = {}
    for name, part in (("validation", validation), ("test", test)):
        share = fraction_or_paths(name, part)
        if isinstance(share, Paths):
            counts[name] = 0
        else:
            counts[name] = max(1, round(paths.size * share))
    first = paths.size - counts["validation"] - counts["test"]
    if first < 1:
        held = " and ".join(f"{n} for {name}" for name, n in counts.items() if n)
        raise ValueError(
            f"{paths.size} paths leave none to fit on after {held or 'nothing'}; solve "
            "for more paths, or hold out smaller fractions."
        )
    middle = first + counts["validation"]
    held = [
        part if isinstance(part, Paths) else take(paths, where)
        for part, where in (
            (validation, slice(first, middle)),
            (test, slice(middle, None)),
        )
    ]
    return Split(take(paths, slice(None, first)), *held)


def fraction_or_paths(name: str, part: float | int | Paths) -> float | Paths:
    """A part of the ground truth as `three_way` takes it.

    Raises:
        ValueError: neither paths nor a fraction in (0, 1).
    """
    if isinstance(part, Paths):
        check_paths(part, name)
        return part
    fraction = f"{name}, a fraction of the paths or other Paths,"
    return real(fraction, part, above=0, below=1)

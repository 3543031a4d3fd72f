"""The settings of a search: what is to be small, and how the work is divided."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.fitting.effort import EFFORTS
from bespoke_jax.fitting.splits import fraction_or_paths
from bespoke_jax.reference.paths import Paths


class Judge(NamedTuple):
    """The score of a solver, and how it is lowered."""

    measure: Callable[[np.ndarray], np.floating]
    """From per-sample errors to the score."""
    robust: bool
    """Whether errors count relative to their median: where that is to be small."""


JUDGES = {"mean": Judge(np.mean, False), "median": Judge(np.median, True)}


class Recipe(NamedTuple):
    """The settings of `tailor` that do not depend on the model; see its arguments."""

    nfe: tuple[int, ...]
    judge: str
    effort: str
    validation: float | int | Paths
    test: float | int | Paths
    probes: int
    degree: int
    tolerance: float | int | None
    batch_size: int | None

    @property
    def rules(self) -> Judge:
        """Those of the judge."""
        return JUDGES[self.judge]

    def checked(self) -> "Recipe":
        """The recipe, if every number in it is usable.

        Probes are checked where samples are known.

        Raises:
            ValueError: naming the first setting that is out of range.
        """
        checks.known("judge", self.judge, JUDGES)
        checks.known("effort", self.effort, EFFORTS)
        for name, part in (("validation", self.validation), ("test", self.test)):
            fraction_or_paths(name, part)
        size, asked = self.batch_size, self.tolerance
        return self._replace(
            tolerance=(
                None if asked is None else checks.real("tolerance", asked, above=0)
            ),
            degree=checks.whole("degree", self.degree, most=8),
            batch_size=None if size is None else checks.whole("batch_size", size),
        )


def budgets(nfe: int | Sequence[int]) -> tuple[int, ...]:
    """The budgets that `nfe` asks for, increasing, each once.

    Raises:
        ValueError: neither a whole number of at least 1 nor a sequence of such.
    """
    if isinstance(nfe, Sequence | np.ndarray) and not isinstance(nfe, str | bytes):
        each = {checks.whole("each nfe", one, most=1000) for one in nfe}
        if not each:
            raise ValueError("nfe must name at least one budget; got none.")
        return tuple(sorted(each))
    return (checks.whole("nfe", nfe, most=1000),)

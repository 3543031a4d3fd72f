"""The settings of a search: what is to be small, and how the work is divided."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bespoke_jax.core import checks
from bespoke_jax.fitting.splits import fraction_or_paths
from bespoke_jax.reference.paths import Paths


class Judge(NamedTuple):
    """The score of a solver, and the rounds of improvement that lower it."""

    measure: Callable[[np.ndarray], np.floating]
    """From per-sample errors to the score."""
    rounds: tuple[tuple[int, int, float], ...]
    """(tracks, steps of each, share of the training paths) of each round."""
    dead: float
    """A track ends when its relative gain over `patience` steps is below this."""
    patience: int
    robust: bool
    """Whether the scale of the robust loss falls from step to step: for the median."""


JUDGES = {
    "mean": Judge(np.mean, ((3, 6, 0.5), (2, 6, 1.0), (1, 30, 1.0)), 3e-3, 2, False),
    "median": Judge(np.median, ((4, 6, 0.4), (2, 8, 0.7), (1, 40, 1.0)), 2e-3, 4, True),
}


class Recipe(NamedTuple):
    """The settings of `tailor` that do not depend on the model; see its arguments."""

    nfe: int
    judge: str
    validation: float | int | Paths
    test: float | int | Paths
    probes: int
    tolerance: float | int
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
        for name, part in (("validation", self.validation), ("test", self.test)):
            fraction_or_paths(name, part)
        size = self.batch_size
        return self._replace(
            nfe=checks.whole("nfe", self.nfe),
            tolerance=checks.real("tolerance", self.tolerance, above=0),
            batch_size=None if size is None else checks.whole("batch_size", size),
        )

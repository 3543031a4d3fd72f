"""The steps of a run in the order of their making, kept so that it can be resumed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bespoke_jax.cards.checkpoint import Checkpoints
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.hosts import to_host


class Journal:
    """Results of the expensive parts of a run, each computed once.

    Every part is saved as it ends, with the evaluations spent and the time elapsed by
    then. A run that is repeated with the same settings reads the parts that are there
    and computes the rest, so that it ends in the identical result.

    Args:
        directory: where to keep the parts; None keeps nothing.
        settings: the inputs that identify the run; numbers, texts or lists of them.
        budget: pays for the parts.

    Raises:
        ValueError: the directory holds a run with other settings.
    """

    def __init__(
        self, directory: Path | None, settings: dict[str, Any], budget: Budget
    ):
        self._budget = budget
        self._next = 0
        self._store = (
            None if directory is None else Checkpoints(directory, settings, keep=None)
        )

    def once(self, compute: Callable[[], Sequence[Any]]) -> list[np.ndarray]:
        """The arrays of `compute()`, or those that an earlier run has saved.

        `compute` pays the budget itself; what is read back is paid for here.
        """
        if self._store is None:
            return [*map(np.asarray, to_host([*compute()]))]
        budget = self._budget

        def saved() -> list[Any]:
            # As arrays: a list would be taken apart into its numbers.
            made = map(np.asarray, to_host([*compute()]))
            return [*made, budget.spent, budget.elapsed]

        *arrays, spent, elapsed = self._store.cached(self._next, saved)
        self._next += 1
        budget.spent = int(spent)
        budget.resume_at(float(elapsed))
        return [np.asarray(value) for value in arrays]

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the directory."""
        if self._store is not None:
            self._store.close()

"""How a fit went: one entry per validation."""

from typing import NamedTuple

import numpy as np


class History(NamedTuple):
    """One entry per validation; the first is the start."""

    iteration: np.ndarray
    loss: np.ndarray
    """Mean training loss since the last validation; nan at the start."""
    rmse: np.ndarray
    """Score on the validation paths; nan where the solver diverged."""
    evaluations: np.ndarray
    """Network evaluations of single samples so far (forward 1, reverse 2 more, a
    forward pass that is recomputed 1 again), everything included: ground truth, checks,
    validation and the start's test."""
    seconds: np.ndarray
    """Wall-clock time so far; that of `fit` without the ground truth."""

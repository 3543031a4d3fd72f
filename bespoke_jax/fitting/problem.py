"""What every part of a search needs: the field, the family, the means."""

from typing import NamedTuple

import jax
import numpy as np

from bespoke_jax.core.budget import Budget
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.types import Theta
from bespoke_jax.families import Family
from bespoke_jax.fitting import gauss_newton
from bespoke_jax.fitting.conditions import Basis
from bespoke_jax.fitting.data import Data
from bespoke_jax.fitting.journal import Journal
from bespoke_jax.fitting.recipe import Judge, Recipe


class Track(NamedTuple):
    """A solver on its way."""

    name: str
    """What it started from."""
    theta: Theta
    score: float
    """On the choosing paths."""


class Problem(NamedTuple):
    """A search for one solver."""

    field: VelocityField
    family: Family
    basis: Basis
    recipe: Recipe
    nfe: int
    key: jax.Array
    budget: Budget
    journal: Journal
    progress: bool

    @property
    def judge(self) -> Judge:
        """What is to be small."""
        return self.recipe.rules

    def solved(self, theta: Theta, data: Data) -> gauss_newton.Point:
        """The solves at theta, paid for."""
        point = gauss_newton.solved(
            self.family, theta, self.field, data, batch_size=self.recipe.batch_size
        )
        self.budget.pay(self.nfe * data.size)
        return point

    def errors(self, theta: Theta, data: Data) -> np.ndarray:
        """Per-sample errors at theta, paid for; no solve is kept."""
        e = gauss_newton.errors(
            self.family, theta, self.field, data, batch_size=self.recipe.batch_size
        )
        self.budget.pay(self.nfe * data.size)
        return e

    def score(self, theta: Theta, data: Data) -> float:
        """The judge's score of theta."""
        return float(self.judge.measure(self.errors(theta, data)))

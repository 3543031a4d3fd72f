"""`Family`: the six pure functions that define a set of learned solvers."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from bespoke_jax.core.checks import instance, real, shown
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Number, Theta

LTau = Number | Callable[[jax.Array], jax.Array]
"""A Lipschitz constant of the field, or a function of time that returns it."""


class Steps(NamedTuple):
    """The n one-step maps of a solver, for losses that treat all steps at once."""

    times: jax.Array
    """(n + 1,) t_0 .. t_n from start to end, the ends of the steps."""
    rows: Solver
    """Each step as a solver of its own, stacked: leaves with leading axis n."""
    lipschitz: Callable[[LTau], jax.Array]
    """L_tau -> (n,) Lipschitz constants L_0 .. L_{n-1} of x -> step(t_i, x).

    L_tau is a number, or a function of time such as `losses.lipschitz` returns."""


def check_interval(start: object, end: object) -> tuple[float, float]:
    """Both as floats.

    Raises:
        ValueError: not 0 <= start < end <= 1.
    """
    end = real("end", end, above=0, most=1)
    return real("start", start, least=0, below=end), end


class Family(NamedTuple):
    """A set of solvers with learnable numbers theta, any pytree of arrays."""

    name: str
    init: Callable[..., Theta]
    """() -> theta of the base solver; (solver) -> theta with build(theta) = solver,
    where the solver lies in the family; else a ValueError."""
    build: Callable[[Theta], Solver]
    """theta -> the solver; pure, differentiable."""
    steps: Callable[[Theta], Steps]
    """theta -> its one-step maps."""
    values: Callable[[Theta], dict[str, jax.Array]]
    """theta -> the paper's constrained quantities at their nodes."""
    effective: Callable[[Theta], dict[str, jax.Array]]
    """theta -> numbers that agree if and only if two solvers are the same map."""


class Joint(NamedTuple):
    """Families of several numbers of steps that share one theta, to be fitted at once.

    Such as `Curve.over` returns. The members differ in their number of steps only.
    """

    name: str
    init: Callable[..., Theta]
    """As `Family.init`, of every member."""
    at: Callable[[int], Family]
    """Number of steps -> its family, a member or not."""
    members: tuple[Family, ...]


def check_theta(family: object, theta: PyTree) -> None:
    """Numbers of a family, concrete or traced.

    Raises:
        ValueError: no family, or a theta of another form than its `init()`.
    """
    family = instance("family", family, Family, "one of bespoke_jax.families")
    form = jax.tree.map(np.shape, theta)
    if form != _form(family):
        got = form if isinstance(theta, dict) else shown(theta)
        raise ValueError(
            f"theta of {family.name} has the form {_form(family)}; got {got}."
        )


@lru_cache
def _form(family: Family) -> PyTree:
    return jax.tree.map(np.shape, family.init())

"""The programs that `compiling` and `memory` build: solves and their gradients.

Each is a function of (field, solver, x0), compiled by `compiled` without running it.
Gradients are those by all numbers of the solver, which is what a fit needs: theta only
comes before them.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import bespoke_jax as bj


def solve(field: Any, solver: bj.Solver, x0: jax.Array) -> jax.Array:
    return bj.sample(field, solver, x0)


def gradient(
    field: Any, solver: bj.Solver, x0: jax.Array, *, checkpoint: bool
) -> bj.Solver:
    """Of the mean square of the sample, by the solver's numbers."""

    def loss(solver: bj.Solver) -> jax.Array:
        return jnp.mean(bj.sample(field, solver, x0, checkpoint=checkpoint) ** 2)

    return jax.grad(loss)(solver)


PROGRAMS: dict[str, Callable[..., Any]] = {
    "solve": solve,
    "gradient, recomputing": partial(gradient, checkpoint=True),
    "gradient, keeping activations": partial(gradient, checkpoint=False),
}


class Compiled(NamedTuple):
    """A program, and what it took to make it."""

    program: Any
    trace: float
    """Seconds of Python: to trace it and to write it down for XLA."""
    compile: float
    """Seconds of XLA."""


def compiled(
    program: Callable[..., Any], field: Any, solver: bj.Solver, x0: jax.Array
) -> Compiled:
    # A function of its own: jit takes nothing from one that it has seen before.
    fresh = lambda field, solver, x0: program(field, solver, x0)
    began = time.perf_counter()
    lowered = jax.jit(fresh).lower(field, solver, x0)
    between = time.perf_counter()
    made = lowered.compile()
    return Compiled(made, between - began, time.perf_counter() - between)


def construct(model: bj.Model, name: str, nfe: int) -> bj.Solver:
    """A training-free solver; "dense" is one whose every row sees all velocities."""
    if name == "dense":
        family = bj.families.nonstationary(nfe, schedule=model.schedule, end=model.end)
        solver = family.build(family.init())
    else:
        solver = bj.solvers.construct(name, nfe, schedule=model.schedule, end=model.end)
    return jax.tree.map(jnp.asarray, solver)

"""One small mixture, its exact paths and its searches, compiled once for all tests."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from oracles import field, random_mixture

import bespoke_jax as bj
from bespoke_jax.core.budget import Budget
from bespoke_jax.core.calls import as_field
from bespoke_jax.fields.analytic import Mixture
from bespoke_jax.fitting.conditions import CONSTANT
from bespoke_jax.fitting.journal import Journal
from bespoke_jax.fitting.problem import Problem
from bespoke_jax.fitting.recipe import Recipe
from bespoke_jax.metrics.problems import end_point
from bespoke_jax.reference.paths import Stats

SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
MIXTURE = random_mixture(0, dim=3, modes=2, std=0.4)
FIELD = field(SCHEDULE, MIXTURE)
FAMILY = bj.families.nonstationary(3, schedule=SCHEDULE, end=END)


@functools.cache
def ends():
    """End points of 96 paths to 12 digits from the host, nothing in between."""
    x0 = jax.random.normal(jax.random.key(0), (96, 3))
    x1 = jnp.asarray(end_point(Mixture(*MIXTURE), SCHEDULE, x0, END))
    return bj.Paths(
        x0, x1, c=None, end=jnp.asarray(END), stats=Stats(100.0, 100, 9600, 1.0)
    )


@functools.cache
def dense():
    """The same paths with their states at all times, which rows by regression need."""
    return bj.reference.solve(
        FIELD, ends().x0, end=END, rtol=1e-8, atol=1e-8, progress=False
    )


@functools.cache
def theta():
    """A training-free solver in the numbers of FAMILY."""
    return FAMILY.init(bj.solvers.dpm_solver_pp_2m(SCHEDULE, nfe=3, end=END))


def counted(seen):
    """FIELD, which tells how many samples it is evaluated for, as it runs.

    Call `jax.effects_barrier()` before reading `seen`.
    """

    def f(t, x, c=None):
        jax.debug.callback(lambda x: seen.append(len(x)), x)
        return FIELD(t, x)

    return f


def recipe(judge="mean", probes=3, batch_size=None):
    return Recipe((3,), judge, "best", 0.2, 0.2, probes, 2, 1e-5, batch_size)


def problem(
    family=FAMILY, f: Any = FIELD, folder=None, nfe=3, evaluations=None, **options
):
    """What a search at few evaluations needs, without the search around it."""
    budget = Budget(evaluations, None)
    return Problem(
        as_field(f), family, CONSTANT, recipe(**options), nfe, jax.random.key(1),
        budget, Journal(folder, {"of": "tests"}, budget), False,
    )  # fmt: skip


def tailor(paths, f: Any = FIELD, **options):
    settings = {"nfe": 3, "schedule": SCHEDULE, "end": END, "probes": 3, **options}
    return bj.tailor(f, paths, key=jax.random.key(2), progress=False, **settings)


def weights(e, c=math.inf):
    """rho_c'(e) / e of the robust loss."""
    return 1 / (e * (1 + e / c))

"""Good arguments of the public functions, from which `fuzz` starts."""

import functools

import jax
import jax.numpy as jnp

import bespoke_jax as bj

VP, END = bj.schedules.VP(), 1 - 1e-3
DDPM = bj.schedules.DiscreteVP((0.9, 0.5, 0.1))
WIDE = jax.random.normal(jax.random.key(2), (40, 2))
QUIET, ENDS = {"progress": False}, {"end": END}


def field(t, x, c=None):
    return 2.0 * jnp.reshape(t, (-1, 1)) - x


@functools.cache
def paths() -> bj.Paths:
    x0 = jax.random.normal(jax.random.key(0), (12, 2))
    return bj.reference.solve(field, x0, end=END, progress=False)


@functools.cache
def solver() -> bj.Solver:
    return bj.solvers.ddim(VP, nfe=3, end=END)


@functools.cache
def family():
    return bj.families.scale_time(2, base="midpoint", end=END)


@functools.cache
def module():
    return bj.demo.network("fm_ot")


def x0():
    return jax.random.normal(jax.random.key(1), (4, 2))


def model_of(**fields):
    """What a model is used for: its noise and one sample."""
    model = bj.Model(**fields)
    x, c = bj.model.noise(model, jax.random.key(0), 3)
    return bj.sample(model.field, solver(), x, c=c)


def on_grid(times):
    return bj.solvers.euler(steps=len(times) - 1, grid=times)


@functools.cache
def measured():
    return bj.losses.lipschitz(field, paths(), key=jax.random.key(0), iterations=1)


MODEL, KEY = bj.Model(field, (2,), end=END), jax.random.key(3)


@functools.cache
def points():
    return bj.metrics.work_precision(
        field, {"a": solver()}, paths(), keep=4, repeats=1, progress=False
    )


MODEL_FIELDS = {
    "field": field, "shape": (2,), "end": 0.9, "schedule": VP, "data_range": 2.0,
    "name": "", "description": "", "training_evaluations": 3, "c": None, "start": 0.0,
    "x0": None,
}  # fmt: skip

"""The models of the recursive-difference study and their exact solutions.

"gaussian" and "mixture" are exact fields, computed in float64; "eps_vp" and "edm" are
the digits networks, in float32 as users run them.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models
from experiments.mixture import models as mixtures

ANALYTIC = ("gaussian", "mixture")
DIGITS = ("eps_vp", "edm")
NAMES = (*ANALYTIC, *DIGITS)
TOLERANCE = {True: 1e-9, False: 1e-5}  # of the exact solutions, in float64 or not
GAUSSIAN = bj.fields.Mixture(np.ones(1), np.linspace(-1, 1, 8)[None], np.array([0.5]))


def load(name: str, *, double: bool | None = None) -> bj.Model:
    """A model; sets JAX's float64 as it wants it (`double` overrules)."""
    jax.config.update("jax_enable_x64", name in ANALYTIC if double is None else double)
    if name == "gaussian":
        return mixtures.model(name, GAUSSIAN)
    if name == "mixture":
        return mixtures.benchmark(0)._replace(name=name)
    return models.load(name)


def noise(model: bj.Model, seed: int, count: int) -> jax.Array:
    """Initial states, in float64 if JAX has it."""
    x0, _ = bj.model.noise(model, jax.random.key(seed), count)
    return x0.astype(jnp.result_type(float))


def exact(
    setup: harness.Setup,
    model: bj.Model,
    *,
    name: str = "",
    field: Any = None,
    end: float | None = None,
) -> tuple[jax.Array, jax.Array]:
    """(x_0, x_1) of the test noises, kept under `name` (the model's own without)."""
    x0 = noise(model, setup.seed + 1000, setup.test)
    tolerance = TOLERANCE[x0.dtype == jnp.float64]
    paths = bj.reference.solve(
        model.field if field is None else field,
        x0,
        end=model.end if end is None else end,
        rtol=tolerance,
        atol=tolerance,
        directory=setup.runs
        / "truth"
        / f"{name or model.name}-test-{setup.test}-{setup.seed + 1000}",
    )
    return paths.x0, paths.x1


def _scaled(factor, prediction, t, x, c=None):
    return factor * prediction(t, x, c)


def biased(model: bj.Model, factor: float) -> Any:
    """The field of a network whose noise prediction is `factor` times the model's."""
    eps = bj.fields.noise_prediction(model.field, model.schedule)
    return bj.fields.from_prediction(
        Partial(_scaled, jnp.asarray(factor, jnp.float32), eps),
        model.schedule,
        kind="noise",
    )

"""What the tests of fields share: schedules, states, ideal networks."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from bespoke_jax import schedules

BETAS = np.linspace(1e-4, 0.02, 1000)
SCHEDULES = {
    "condot": schedules.CondOT(),
    "cosine": schedules.Cosine(),
    "vp": schedules.VP(0.1, 20.0),
    "cosine_vp": schedules.CosineVP(),
    "discrete_vp": schedules.DiscreteVP(np.cumprod(1 - BETAS)),
    "edm": schedules.EDM(0.002, 80.0),
}
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
MIXTURE = oracles.random_mixture(0)
# Between the levels of discrete_vp, where its rates jump.
T = jnp.array([0.0204, 0.3004, 0.6004, 0.9704])
X = jax.random.normal(jax.random.key(0), (4, 2))
close = partial(chex.assert_trees_all_close, rtol=0)


KINDS = ["noise", "data", "velocity", "noise-data", "v", "score", "edm"]


def exact_network(schedule, kind, sigma_data=0.5):
    """The ideal network of a kind; its time is t, for edm the noise-to-signal ratio."""

    def edm(sigma, x):
        # Karras et al., equation 7 and table 1, solved for F.
        sigma = sigma[:, None]
        size = jnp.sqrt(sigma**2 + sigma_data**2)
        y = x * size
        d, _ = oracles.posterior_means(
            MIXTURE, y, jnp.ones_like(sigma[:, 0]), sigma[:, 0]
        )
        return (d - sigma_data**2 / size**2 * y) / (sigma * sigma_data / size)

    def network(t, x):
        alpha, sigma = schedule(t)
        x_1, eps = oracles.posterior_means(MIXTURE, x, alpha, sigma)
        alpha, sigma = alpha[:, None], sigma[:, None]
        outputs = {
            "noise": lambda: eps,
            "data": lambda: x_1,
            "velocity": lambda: oracles.field(schedule, MIXTURE)(t, x),
            "noise-data": lambda: eps - x_1,
            "v": lambda: alpha * eps - sigma * x_1,
            "score": lambda: -eps / sigma,
        }
        return outputs[kind]()

    return edm if kind == "edm" else network


def on_path(schedule, x=X, t=T):
    """States of the size that the schedule has at t."""
    alpha, sigma = schedule(t)
    return x * jnp.sqrt(alpha**2 + sigma**2)[:, None]

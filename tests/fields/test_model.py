"""A model's initial states: noise, or its own states at a later start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bespoke_jax as bj
from bespoke_jax import demo
from bespoke_jax.fields.model import Model, noise

DATA = 0.7


def velocity(t, x, c=None):
    return DATA - x


def noised(key, n, start):
    """alpha x_1 + sigma x_0 on CondOT, the input of image to image."""
    return start * DATA + (1 - start) * jax.random.normal(key, (n, 3))


def test_noise_has_the_spread_of_the_schedule():
    model = Model(velocity, (20_000,), schedule=bj.schedules.EDM())
    x0, _ = noise(model, jax.random.key(0), 2)
    sigma_0 = float(bj.schedules.EDM()(0.0)[1])
    assert float(jnp.std(x0)) == pytest.approx(sigma_0, rel=0.02)


def test_states_at_a_later_start_are_the_models_own():
    model = Model(velocity, (3,), start=0.6, x0=noised)
    x0, c = noise(model, jax.random.key(0), 4000)
    assert x0.shape == (4000, 3) and c is None
    assert float(jnp.mean(x0)) == pytest.approx(0.6 * DATA, abs=0.02)
    assert float(jnp.std(x0)) == pytest.approx(0.4, rel=0.02)
    again, _ = noise(model, jax.random.key(0), 4000)
    np.testing.assert_array_equal(x0, again)
    assert float(jnp.std(noise(model._replace(start=0.0), jax.random.key(0), 4000)[0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": 0.6}, r"starts at t = 0.6.*give Model\(x0=...\)"),
        ({"start": 1.0, "x0": noised}, "start must be a number in .0, 1.; got 1"),
        ({"start": -0.1, "x0": noised}, "start must be a number in"),
        ({"start": float("nan"), "x0": noised}, "start must be a number in"),
        (
            {"start": 0.6, "x0": lambda key, n, start: jnp.ones((n, 2))},
            r"must have shape \(5, 3\); got \(5, 2\)",
        ),
    ],
)
def test_a_start_without_states_is_refused_in_words(change, words):
    with pytest.raises(ValueError, match=words):
        noise(Model(velocity, (3,), **change), jax.random.key(0), 5)


@pytest.mark.parametrize("name", demo.NAMES)
def test_training_counts_forward_one_and_reverse_two_more(name):
    record = demo._read(name).record
    want = 3 * record["iterations"] * record["batch_size"]
    assert demo.load(name).training_evaluations == want

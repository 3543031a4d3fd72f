"""Warnings in words: what points the wrong way or has the wrong spread, only that."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from field_cases import SCHEDULES

from bespoke_jax import fields, schedules

CONDOT = schedules.CondOT()


def noise(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def quiet(check, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(*args)


def test_case_d_of_the_reports_is_warned_and_mended():
    x = noise(0, 4, 2)
    net = lambda tau, x0: x - 2.0  # noise - data, data = 2
    wrong = fields.from_prediction(net, CONDOT, "velocity", time="1000(1-t)")
    with pytest.warns(UserWarning, match=r'\+x0.*kind="noise-data".*fields.reverse'):
        fields.warn_direction(wrong, x, None, 0.0, 1.0)
    right = fields.from_prediction(net, CONDOT, "noise-data", time="1000(1-t)")
    quiet(fields.warn_direction, right, x, None, 0.0, 1.0)


MIXTURES = {
    "narrow": oracles.Mixture(np.ones(1), np.zeros((1, 2)), np.array([0.05])),
    "wide": oracles.Mixture(np.ones(1), np.zeros((1, 2)), np.array([5.0])),
    "shifted": oracles.Mixture(np.ones(1), np.full((1, 2), 30.0), np.array([1.0])),
    "modes": oracles.random_mixture(0),
}


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
@pytest.mark.parametrize("name", SCHEDULES)
def test_no_false_alarm_on_exact_models(name, mixture):
    schedule = SCHEDULES[name]
    plain = oracles.field(schedule, mixture)
    sigma = float(schedule(0.0)[1])
    for seed in range(4):
        for size in (1, 2, 16):
            x = sigma * noise(seed, size, 2)
            quiet(fields.warn_direction, plain, x, None, 0.0, 1 - 1e-3)
            quiet(fields.warn_spread, x, schedule, 0.0)
    # In the middle of a known path the direction says nothing.
    known = fields.from_prediction(plain, schedule, "velocity")
    quiet(fields.warn_direction, known, 5 * noise(0, 16, 2), None, 0.5, 0.99)
    quiet(fields.warn_direction, plain, 5 * noise(0, 16, 2), None, 0.5, 0.99)


@pytest.mark.parametrize("name", ["condot", "edm"])
def test_fields_with_the_wrong_sign_are_warned(name):
    schedule = SCHEDULES[name]
    right = oracles.field(schedule, MIXTURES["modes"])
    x = schedule(0.0)[1] * noise(0, 16, 2)
    with pytest.warns(UserWarning, match="instead of removing it"):
        fields.warn_direction(lambda t, x: -right(t, x), x, None, 0.0, 0.999)


def test_class_means_are_no_direction():
    # Data far apart, one class per sample: u is mostly the mean of the class.
    c = 20 * noise(70, 8, 2)
    field = lambda t, x, c: c - x
    for seed in range(20):
        quiet(fields.warn_direction, field, noise(seed, 8, 2), c, 0.0, 1.0)


def test_direction_spends_what_it_says():
    calls = []

    def field(t, x):
        jax.debug.callback(lambda n: calls.append(int(n)), x.shape[0])
        return -x

    fields.warn_direction(field, noise(0, 64, 2), None, 0.0, 1.0)
    jax.effects_barrier()
    from bespoke_jax.fields.checks import DIRECTION_COST

    assert calls == [DIRECTION_COST]


def test_spread_far_from_sigma_is_warned_with_the_numbers():
    edm = schedules.EDM()
    x = noise(0, 16, 8)
    with pytest.warns(UserWarning, match=r"spread of 1\.\d+, but EDM.*sigma = 80 at"):
        fields.warn_spread(x, edm, 0.0)
    quiet(fields.warn_spread, 80 * x, edm, 0.0)
    with pytest.warns(UserWarning, match="spread of"):
        fields.warn_spread(80 * x, CONDOT, 0.0)
    quiet(fields.warn_spread, x, CONDOT, 0.0)
    # Later than noise: data of any size beside the noise, but not less than the noise.
    mixed = 0.5 * 20 * noise(1, 16, 8) + 0.5 * x
    quiet(fields.warn_spread, mixed, CONDOT, 0.5)
    with pytest.warns(UserWarning, match="sigma = 0.5 at t = 0.5"):
        fields.warn_spread(0.01 * x, CONDOT, 0.5)
    # Few numbers prove little.
    quiet(fields.warn_spread, jnp.full((1, 1), 0.2), CONDOT, 0.0)

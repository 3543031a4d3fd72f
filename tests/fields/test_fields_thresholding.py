"""Thresholding: what is within range is kept, the rest clipped on the path."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from field_cases import MIXTURE, T, X, close, each_schedule, on_path

from bespoke_jax import fields, schedules


def test_threshold_keeps_what_is_within_range():
    field = oracles.field(schedules.CondOT(), MIXTURE)
    inside = fields.threshold(field, schedules.CondOT(), 0.9, maximum=50.0)
    assert (inside(T, X) == field(T, X)).all()


@each_schedule
def test_threshold_clips_the_data_prediction_and_keeps_the_path(schedule):
    field = oracles.field(schedule, MIXTURE)
    x, q, maximum = on_path(schedule), 0.75, 0.4
    limited = fields.threshold(field, schedule, q, maximum)
    x_1 = np.asarray(fields.data_prediction(field, schedule)(T, x))
    s = np.maximum(np.quantile(np.abs(x_1), q, axis=1, keepdims=True), maximum)
    expected = np.clip(x_1, -s, s) / s * maximum
    assert np.abs(expected - x_1).max() > 0.1
    got = fields.data_prediction(limited, schedule)(T, x)
    close(got, expected, atol=1e-9)
    alpha, sigma = (a[:, None] for a in schedule(T))
    eps = fields.noise_prediction(limited, schedule)(T, x)
    close(alpha * got + sigma * eps, x, atol=1e-9 * float(jnp.abs(x).max()))


@pytest.mark.slow
def test_threshold_at_the_data_end():
    field = fields.threshold(lambda t, x: 3 * x, schedules.CondOT(), maximum=0.1)
    close(field(1.0, X), 3 * X, atol=0)
    chex.assert_tree_all_finite(jax.grad(lambda t: field(t, X).sum())(1.0))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fields.threshold(jnp.sin, schedules.CondOT(), 1.5), "quantile"),
        (lambda: fields.threshold(jnp.sin, schedules.CondOT(), 0.9, 0.0), "maximum"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

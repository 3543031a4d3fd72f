"""What a field knows of itself: its path, and the times at which dx/dt jumps."""

import jax.numpy as jnp
import numpy as np
import pytest
from field_cases import SCHEDULES, X, exact_network

from bespoke_jax import fields, schedules
from bespoke_jax.core.protocols import Schedule

CONDOT, VP, COSINE = schedules.CondOT(), schedules.VP(), schedules.Cosine()
PLAIN = lambda t, x: -x


def model(schedule: Schedule = CONDOT, kind="noise", **options):
    return fields.from_prediction(
        exact_network(schedule, kind), schedule, kind, **options
    )


def guided(field, **options):
    return fields.guide(field, field, 2.0, interval=(0.2, 0.7), **options)


@pytest.mark.parametrize(
    "field, path",
    [
        (PLAIN, None),
        (fields.as_field(PLAIN), None),
        (model(VP), VP),
        (model(VP, "v"), VP),
        (fields.guide(model(VP), PLAIN, 1.0), VP),
        (fields.guide(model(VP), model(CONDOT), 1.0), None),
        (fields.guide(PLAIN, PLAIN, rescale=0.5, schedule=VP), VP),
        (fields.compose(model(VP), [0.0], [1.0]), VP),
        (fields.threshold(model(VP), VP), VP),
        (fields.threshold(PLAIN, VP), VP),
        (fields.threshold(model(COSINE), VP), None),
        (fields.change_schedule(model(VP), VP, COSINE), COSINE),
        (fields.change_schedule(PLAIN, VP, COSINE), COSINE),
        (fields.change_schedule(model(CONDOT), VP, COSINE), None),
        (fields.switch(model(VP), model(VP, "v"), 0.5), VP),
        (fields.switch(model(VP), model(COSINE), 0.5), None),
        (fields.reverse(model(VP)), None),
        (fields.reverse(fields.reverse(model(VP))), VP),
        (fields.scale_time(model(VP), jnp.exp, jnp.square), None),
        (fields.data_prediction(model(VP), VP), VP),
    ],
)
def test_the_path_of_a_field(field, path):
    assert fields.schedule_of(field) == path


FROZEN = float(CONDOT.time_at_log_snr(-5.1))


@pytest.mark.parametrize(
    "field, times",
    [
        (PLAIN, ()),
        (model(VP), ()),
        (model(SCHEDULES["discrete_vp"]), ()),
        (model(CONDOT), (FROZEN,)),
        (model(CONDOT, "velocity"), ()),
        (model(CONDOT, "velocity", time="sigma"), (FROZEN,)),
        (model(CONDOT, min_log_snr=-np.inf), ()),
        (guided(PLAIN), (0.2, 0.7)),
        (guided(model()), (FROZEN, 0.2, 0.7)),
        (fields.guide(PLAIN, PLAIN, 1.0, interval=(0.0, 0.5)), (0.5,)),
        (fields.compose(PLAIN, [0.0], [1.0], interval=(0.3, 1.0)), (0.3,)),
        (fields.threshold(guided(PLAIN), VP), (0.2, 0.7)),
        (fields.switch(PLAIN, PLAIN, 0.4), (0.4,)),
        # Jumps on the side of the other network are not met.
        (fields.switch(guided(PLAIN), guided(PLAIN), 0.4), (0.2, 0.4, 0.7)),
        (fields.switch(guided(PLAIN), PLAIN, 0.4), (0.2, 0.4)),
        (fields.reverse(guided(PLAIN)), (0.3, 0.8)),
        (fields.scale_time(guided(PLAIN), jnp.exp, jnp.square), (0.2**0.5, 0.7**0.5)),
        # At equal log SNR: CondOT and Cosine share t/(1-t) = tan(pi t/2).
        (
            fields.change_schedule(guided(PLAIN), CONDOT, COSINE),
            tuple(2 / np.pi * np.arctan(np.array([0.25, 7 / 3]))),
        ),
        # Before VP starts on CondOT, its first level is held.
        (
            fields.change_schedule(PLAIN, VP, CONDOT),
            (float(CONDOT.time_at_log_snr(VP.log_snr(0.0))),),
        ),
        (fields.change_schedule(PLAIN, CONDOT, VP), ()),
    ],
)
def test_the_jumps_of_a_field(field, times):
    np.testing.assert_allclose(fields.jumps_of(field), times, atol=1e-9)


def test_levels_are_jumps_where_the_field_really_jumps():
    schedule = schedules.DiscreteVP(np.cumprod(1 - np.linspace(1e-2, 0.2, 8)))
    network = lambda k, x: x * k[:, None]
    field = fields.from_prediction(network, schedule, "velocity", time="level")
    times = fields.jumps_of(field)
    assert len(times) == 7
    for t in times:
        below, above = field(t - 1e-9, X[:1]), field(t + 1e-9, X[:1])
        np.testing.assert_allclose(below - above, X[:1], atol=1e-6)


@pytest.mark.slow
def test_there_is_a_jump_at_the_jumps_and_none_between():
    """The field itself, on a fine grid, is discontinuous where it says so."""
    inner = fields.guide(lambda t, x: x, lambda t, x: 0 * x, 1.0, interval=(0.2, 0.7))
    for field in (
        inner,
        fields.reverse(inner),
        fields.change_schedule(inner, CONDOT, VP),
        fields.scale_time(inner, lambda r: 1.0, jnp.square),
        fields.switch(inner, lambda t, x: 5 * x, 0.4),
    ):
        grid = np.linspace(0.0005, 0.9985, 1997)
        x = jnp.ones((len(grid), 1))
        u = np.asarray(field(jnp.asarray(grid), x))[:, 0]
        steps = np.abs(np.diff(np.log(np.abs(u) + 1)))
        found = grid[:-1][steps > 0.1]
        known = np.array(fields.jumps_of(field))
        assert len(found) == len(known)
        np.testing.assert_allclose(found, known, atol=1e-3)

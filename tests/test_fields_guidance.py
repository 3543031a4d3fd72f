"""Guidance and thresholding: identities, calls counted, the path kept."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from field_cases import MIXTURE, T, X, close, each_schedule, on_path

from bespoke_jax import fields, schedules


def labelled(counter=None):
    """A network that depends on t, x and a pair (label, embedding)."""

    def network(t, x, c):
        if counter is not None:
            counter.append(x.shape)
        label, embedding = c
        table = jnp.array([0.3, -1.0, 2.0])
        return jnp.sin(x) * t[:, None] + table[label][:, None] * embedding

    return network


LABELS = (jnp.array([0, 1, 0, 1]), jax.random.normal(jax.random.key(2), (4, 2)))
NULL = (2, jnp.array([0.1, 0.2]))


def test_guidance_identities():
    network, w = labelled(), 2.5
    u = network(T, X, LABELS)
    null = (jnp.full(4, 2), jnp.broadcast_to(NULL[1], (4, 2)))
    u_0 = network(T, X, null)
    uncond = lambda t, x: network(t, x, null)
    for make in (
        lambda w: fields.guide(network, uncond, w),
        lambda w: fields.guide(network, weight=w, null=NULL),
        lambda w: fields.guide(network, weight=w, null=(2, NULL[1][None])),
    ):
        assert (make(0.0)(T, X, LABELS) == u).all()
        close(make(-1.0)(T, X, LABELS), u_0, atol=1e-14)
        close(make(w)(T, X, LABELS), (1 + w) * u - w * u_0, atol=1e-13)
        each = jnp.array([0.0, 1.0, 2.0, 3.0])
        rows = jnp.stack([make(e)(T, X, LABELS)[i] for i, e in enumerate(each)])
        close(make(each)(T, X, LABELS), rows, atol=1e-14)
        half = make(w)(0.5, X, LABELS)
        close(make(w)(jnp.full(4, 0.5), X, LABELS), half, atol=0)


def test_guidance_with_null_is_one_call():
    calls = []
    field = fields.guide(labelled(calls), weight=1.0, null=NULL)
    field(T, X, LABELS)
    assert calls == [(8, 2)]


def test_guidance_weight_may_travel_in_the_conditioning():
    def field(t, x, c):
        labels, w = c
        return fields.guide(network, weight=w, null=NULL)(t, x, labels)

    network, w = labelled(), jnp.array([0.0, 1.0, 2.0, 3.0])
    one = lambda t, x, c: field(t, x[None], jax.tree.map(lambda a: a[None], c))[0]
    got = jax.vmap(one)(T, X, (LABELS, w))
    close(got, field(T, X, (LABELS, w)), atol=1e-14)
    close(
        got[2],
        fields.guide(network, weight=2.0, null=NULL)(T, X, LABELS)[2],
        atol=1e-14,
    )


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


def test_threshold_at_the_data_end():
    field = fields.threshold(lambda t, x: 3 * x, schedules.CondOT(), maximum=0.1)
    close(field(1.0, X), 3 * X, atol=0)
    chex.assert_tree_all_finite(jax.grad(lambda t: field(t, X).sum())(1.0))


def same(t, x):
    return x


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fields.guide(jnp.sin), "neither"),
        (lambda: fields.guide(jnp.sin, jnp.cos, null=0), "both"),
        (lambda: fields.guide(jnp.sin, jnp.cos, np.ones((2, 2))), r"\(batch,\)"),
        (
            lambda: fields.guide(labelled(), weight=1.0, null=NULL)(T, X),
            "structure of null",
        ),
        (
            lambda: fields.guide(same, same, np.ones(3))(0.5, X),
            "one number per sample",
        ),
        (lambda: fields.threshold(jnp.sin, schedules.CondOT(), 1.5), "quantile"),
        (lambda: fields.threshold(jnp.sin, schedules.CondOT(), 0.9, 0.0), "maximum"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""Guidance: identities, calls counted, per-sample weights and nulls."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from field_cases import T, X, close, each_schedule

import bespoke_jax as bj
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
        half = make(w)(0.5, X, LABELS)
        close(make(w)(jnp.full(4, 0.5), X, LABELS), half, atol=0)


def test_guidance_with_null_is_one_call():
    calls = []
    field = fields.guide(labelled(calls), weight=1.0, null=NULL)
    field(T, X, LABELS)
    assert calls == [(8, 2)]


@pytest.mark.slow
def test_weights_and_nulls_that_belong_to_samples_travel_in_c():
    c = {"pair": LABELS, "w": jnp.array([0.0, 1.0, 2.0, 3.0])}
    c["negative"] = jax.random.normal(jax.random.key(5), (4, 2))
    plain, w = labelled(), lambda c: c["w"]
    network = lambda t, x, c: plain(t, x, c["pair"])
    null = lambda c: {**c, "pair": (2, c["negative"])}
    one_call = fields.guide(network, weight=w, null=null)
    without = lambda t, x, c: network(t, x, null_rows(c))
    null_rows = lambda c: {**c, "pair": (jnp.full_like(c["pair"][0], 2), c["negative"])}
    two_calls = fields.guide(network, weak=without, weight=w)
    u, u_0 = network(T, X, c), without(T, X, c)
    want = u + c["w"][:, None] * (u - u_0)
    close(one_call(T, X, c), want, atol=1e-14)
    close(two_calls(T, X, c), want, atol=1e-14)
    # A batch may be cut: sample by sample, and by the library (case L).
    for field in (one_call, two_calls):
        one = lambda t, x, c: field(t, x[None], jax.tree.map(lambda a: a[None], c))[0]  # noqa: B023
        close(jax.vmap(one)(T, X, c), want, atol=1e-13)
    solve = lambda field, batch_size: (
        bj.reference.solve(field, X, c=c, batch_size=batch_size, progress=False).x1
    )
    close(np.asarray(solve(one_call, 4)), np.asarray(solve(two_calls, 3)), atol=1e-8)


@pytest.mark.slow
def test_case_l_of_the_reports():
    # u = tanh(c - x) with w = 2 and the null -c.
    net = lambda t, x, c: jnp.tanh(c["c"][:, None] - x)
    x, c = jnp.ones((8, 2)), {"c": jnp.arange(8.0)}
    guided = fields.guide(net, weight=2.0, null=lambda c: {"c": -c["c"]})
    hand = lambda t, x, c: (
        3 * jnp.tanh(c["c"][:, None] - x) - 2 * jnp.tanh(-c["c"][:, None] - x)
    )
    solver = bj.solvers.rk4(steps=4)
    want = bj.sample(hand, solver, x, c=c)
    close(bj.sample(guided, solver, x, c=c), want, atol=1e-12)
    solve = lambda f: bj.reference.solve(f, x, c=c, batch_size=3, progress=False).x1
    close(np.asarray(solve(guided)), np.asarray(solve(hand)), atol=1e-6)
    # What cannot be cut is refused at once, in words.
    bare = lambda t, x, c: jnp.tanh(c[:, None] - x)
    closed = fields.guide(bare, weight=2.0, null=-c["c"])
    for run in (
        lambda: bj.sample(closed, solver, x, c=c["c"]),
        lambda: bj.reference.solve(closed, x, c=c["c"], progress=False),
    ):
        with pytest.raises(ValueError, match="travels in c.*lambda c"):
            run()
    with pytest.raises(ValueError, match='lambda c: c."w".'):
        fields.guide(bare, weight=jnp.ones(8), null=0.0)


def test_autoguidance_gives_the_weak_model_its_condition():
    strong, weak = labelled(), lambda t, x, c: 0.5 * labelled()(t, x, c)
    guided = fields.guide(strong, weak=weak, weight=1.5)
    u = strong(T, X, LABELS)
    close(guided(T, X, LABELS), u + 1.5 * (u - 0.5 * u), atol=1e-14)
    blind = fields.guide(strong, weak, 1.5)
    with pytest.raises(TypeError, match="'c'"):
        weak(T, X)  # type: ignore
    with pytest.raises(ValueError, match="raised TypeError"):
        blind(T, X, LABELS)


def test_two_conditions_with_own_weights():
    # InstructPix2Pix: u_0 + s_I (u_I - u_0) + s_T (u_IT - u_I).
    net = lambda t, x, c: jnp.tanh(x + c["image"] * t[:, None]) * jnp.exp(c["text"])
    draw = lambda seed: jax.random.normal(jax.random.key(seed), (4, 2))
    c = {"image": draw(0), "text": draw(1), "s": jnp.array([2.0, 3.0, 5.0, 7.0])}
    neither = lambda c: {**c, "image": 0.0, "text": 0.0}
    image = lambda c: {**c, "text": 0.0}
    zero = jnp.zeros((4, 2))
    u_0 = net(T, X, {"image": zero, "text": zero})
    u_i, u_it = net(T, X, {**c, "text": zero}), net(T, X, c)
    s_i, s_t = 1.5, c["s"][:, None]
    guided = fields.compose(net, [neither, image], [s_i - 1, lambda c: c["s"] - 1])
    want = u_0 + s_i * (u_i - u_0) + s_t * (u_it - u_i)
    close(guided(T, X, c), want, atol=1e-12)
    # With one null it is guide.
    single = fields.compose(net, [neither], [2.0])
    close(single(T, X, c), fields.guide(net, null=neither, weight=2.0)(T, X, c), atol=0)
    with pytest.raises(ValueError, match="2 nulls and 1 weights"):
        fields.compose(net, [neither, image], [1.0])


def test_guidance_inside_an_interval_only():
    u, u_0 = lambda t, x: jnp.sin(x), lambda t, x: jnp.cos(x)
    t = jnp.array([0.1, 0.25, 0.5, 0.75])
    full = fields.guide(u, u_0, 2.0)(t, X)
    part = fields.guide(u, u_0, 2.0, interval=(0.25, 0.75))(t, X)
    close(part[1:3], full[1:3], atol=0)
    assert (part[jnp.array([0, 3])] == u(t, X)[jnp.array([0, 3])]).all()
    # A high end of 1 includes t = 1; the one-call form keeps to the interval too.
    to_end = fields.guide(u, u_0, 2.0, interval=(0.25, 1.0))
    close(to_end(1.0, X), fields.guide(u, u_0, 2.0)(1.0, X), atol=0)
    net = labelled()
    limited = fields.guide(net, null=NULL, weight=2.0, interval=(0.25, 0.75))
    close(limited(0.1, X, LABELS), net(jnp.full(4, 0.1), X, LABELS), atol=0)
    # Two samples on either side of an end, as per-sample solves have them.
    one = lambda t, x: fields.guide(u, u_0, 2.0, interval=(0.25, 0.75))(t, x[None])[0]
    close(jax.vmap(one)(t, X), part, atol=0)


@each_schedule
def test_rescale_restores_the_spread_of_v(schedule):
    x = jax.random.normal(jax.random.key(1), (4, 6, 5, 3))
    x = x * jnp.sqrt(sum(a**2 for a in schedule(T)))[:, None, None, None]
    u, u_0 = lambda t, x: jnp.sin(3 * x), lambda t, x: jnp.cos(x)

    def v(field):  # alpha eps - sigma x_1 from the two endpoint predictions
        alpha, sigma = (a[:, None, None, None] for a in schedule(T))
        eps = fields.noise_prediction(field, schedule)(T, x)
        return alpha * eps - sigma * fields.data_prediction(field, schedule)(T, x)

    spread = lambda v: np.std(np.asarray(v), axis=(1, 2, 3))
    plain = fields.guide(u, u_0, 3.0)
    assert (spread(v(plain)) > 1.05 * spread(v(u))).any()
    for phi in (0.3, 1.0):
        field = fields.guide(u, u_0, 3.0, rescale=phi, schedule=schedule)
        want = (1 - phi) * spread(v(plain)) + phi * spread(v(u))
        np.testing.assert_allclose(spread(v(field)), want, rtol=1e-7)
        # Scaled as a whole, not shifted.
        ratio = np.asarray(v(field) / v(plain)).reshape(4, -1)
        np.testing.assert_allclose(np.ptp(ratio, axis=1), 0, atol=1e-6)
    close(
        fields.guide(u, u_0, 3.0, rescale=0.0, schedule=schedule)(T, x),
        plain(T, x),
        atol=0,
    )


def test_new_weights_and_nulls_do_not_recompile():
    chex.clear_trace_counter()
    run = jax.jit(chex.assert_max_traces(lambda field, c: field(T, X, c), n=1))
    net = labelled()
    for w in (1.0, 2.0, 3.0):
        run(
            fields.compose(
                net,
                [NULL, lambda_null(w)],
                [w, 2 * w],
                interval=(0.1, 0.9),
                rescale=0.5,
                schedule=schedules.CondOT(),
            ),
            LABELS,
        )


def lambda_null(w):
    return (1, jnp.array([0.3 * w, 0.2]))


def same(t, x):
    return x


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fields.guide(jnp.sin), "got none"),
        (lambda: fields.guide(jnp.sin, jnp.cos, null=0), "unconditional and null"),
        (lambda: fields.guide(jnp.sin, jnp.cos, np.ones((2, 2))), "one number, or"),
        (
            lambda: fields.guide(labelled(), weight=1.0, null=NULL)(T, X),
            "structure of null",
        ),
        (lambda: fields.guide(same, same, np.ones(3)), "travel in c"),
        (
            lambda: fields.guide(same, same, lambda c: np.ones(3))(0.5, X),
            "one number per sample",
        ),
        (
            lambda: fields.guide(labelled(), null=(2, np.ones(3)))(T, X, LABELS),
            "shape of one sample of c",
        ),
        (lambda: fields.guide(same, same, interval=(0.5, 0.2)), "low < high"),
        (lambda: fields.guide(same, same, rescale=0.7), "give schedule="),
        (lambda: fields.guide(same, same, rescale=1.7), r"in \[0, 1\]"),
        (lambda: fields.guide(same, same, weak=same), "unconditional and weak"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

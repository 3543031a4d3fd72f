"""Predictions as fields, against exact posterior means; and what is refused."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from field_cases import (
    KINDS,
    MIXTURE,
    SCHEDULES,
    T,
    X,
    close,
    each_schedule,
    exact_network,
    on_path,
)
from flax import linen
from jax.tree_util import Partial

from bespoke_jax import fields, schedules


@pytest.mark.slow
@each_schedule
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_exact_velocity(schedule, kind):
    x = on_path(schedule)
    time = "sigma" if kind == "edm" else "t"
    field = fields.from_prediction(
        exact_network(schedule, kind), schedule, kind, time=time
    )
    exact = oracles.field(schedule, MIXTURE)(T, x)
    scale = 1 + float(jnp.abs(exact).max())
    close(field(T, x), exact, atol=1e-10 * scale)
    x, t = x.astype(jnp.float32), T.astype(jnp.float32)
    assert field(t, x).dtype == jnp.float32
    close(field(t, x), exact.astype(jnp.float32), atol=2e-3 * scale)


@each_schedule
def test_endpoint_predictions_invert_the_path(schedule):
    x_1, eps = jax.random.normal(jax.random.key(1), (2, 4, 3))
    (alpha, sigma), (d_alpha, d_sigma) = schedule(T), schedule.rates(T)
    x = alpha[:, None] * x_1 + sigma[:, None] * eps
    u = d_alpha[:, None] * x_1 + d_sigma[:, None] * eps
    field = Partial(lambda u, t, x: u, u)
    nsr = float((sigma / alpha).max() + (alpha / sigma).max())
    close(fields.data_prediction(field, schedule)(T, x), x_1, atol=1e-14 * nsr)
    close(fields.noise_prediction(field, schedule)(T, x), eps, atol=1e-14 * nsr)
    for kind, predict in (
        ("data", fields.data_prediction),
        ("noise", fields.noise_prediction),
    ):
        network = predict(oracles.field(schedule, MIXTURE), schedule)
        back = fields.from_prediction(network, schedule, kind)
        x = on_path(schedule)
        close(back(T, x), oracles.field(schedule, MIXTURE)(T, x), atol=1e-8)


def test_network_times():
    schedule, t = schedules.CondOT(), 0.25
    expected = {
        "t": 0.25,
        "1-t": 0.75,
        "999t": 249.75,
        "1000t": 250,
        "999(1-t)": 749.25,
        "1000(1-t)": 750,
        "1000(1-t)-1": 749,
        "sigma": 3,
        "log_sigma/4": np.log(3) / 4,
        Partial(lambda a, t: a * t, jnp.asarray(8.0)): 2.0,
        (lambda t: t**2): 0.0625,
    }
    clock = lambda tau, x: jnp.broadcast_to(tau[:, None], x.shape)
    for time, tau in expected.items():
        field = fields.from_prediction(clock, schedule, "velocity", time=time)
        close(field(t, X), jnp.full(X.shape, tau), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("n", [4, 500, 1000])
def test_level_names_count_the_levels_of_the_schedule(n):
    schedule = schedules.DiscreteVP(np.cumprod(1 - np.linspace(1e-4, 0.02, n)))
    seen = []

    def network(tau, x):
        seen.append(tau)
        return jnp.zeros_like(x)

    for dtype in (jnp.float32, jnp.float64):
        # Level k + 1 sits at 1 - (k + 1)/n, and t = 1 is none.
        k = np.arange(n)
        t, x = jnp.asarray(1 - (k + 1) / n, dtype), jnp.zeros((n, 1), dtype)
        for time in ("level", "N(1-t)-1"):
            fields.from_prediction(network, schedule, time=time)(t, x)
        level, index = seen[-2:]
        assert level.dtype == jnp.int32 and level.tolist() == k.tolist()
        np.testing.assert_allclose(
            index, k, atol=2e-4 if dtype == jnp.float32 else 1e-12
        )
        field = fields.from_prediction(network, schedule, "velocity", time="level")
        jax.jit(field)(jnp.ones(1, dtype), x[:1])
    for t, k in ((0.999999, 0), (1 - 1.4 / n, 0), (1 - 1.6 / n, 1)):
        field = fields.from_prediction(network, schedule, time="level")
        field(t, x[:1])
        assert seen[-1].tolist() == [k]
    # An integer of the user's own clock stays one; Scaled has the levels of its base.
    clock = lambda t: jnp.round(7 * t).astype(int)
    fields.from_prediction(network, schedule, time=clock)(0.5, x[:1])
    assert jnp.issubdtype(seen[-1].dtype, jnp.integer)
    scaled = schedules.Scaled(schedule)
    field = fields.from_prediction(network, scaled, "velocity", time="level")
    field(0.0, x[:1])
    assert seen[-1].tolist() == [n - 1]


@each_schedule
@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_singular_data_ends(schedule, kind):
    """The table in the docstring of `from_prediction`, cell by cell."""
    rows = {
        name: line.split()[-7:]
        for line in (fields.from_prediction.__doc__ or "").splitlines()
        for name in ("CondOT", "DiscreteVP", "EDM")
        if line.strip().startswith(name) and line.split()[-1] in ("x", "-")
    }
    row = {"Cosine": "CondOT", "VP": "DiscreteVP", "CosineVP": "DiscreteVP"}
    name = type(schedule).__name__
    singular = rows[row.get(name, name)][KINDS.index(kind)] == "x"
    # The exact network at t = 1 itself: 0/0 is a singularity too.
    time = "sigma" if kind == "edm" else "t"
    network = exact_network(schedule, kind)
    field = fields.from_prediction(network, schedule, kind, time=time)
    x = on_path(schedule, t=jnp.ones(4))
    traced = np.asarray(jax.jit(field)(jnp.ones(4), x))
    if singular:
        assert not np.isfinite(traced).all()
        with pytest.raises(ValueError, match=f"{kind!r} prediction.*singular at t = 1"):
            field(1.0, x)
    elif kind != "edm":  # whose exact F is 0/0 at the noise-to-signal ratio 0
        close(traced, np.asarray(field(1 - 1e-7, x)), atol=2e-5)
    wrapped = fields.guide(fields.threshold(field, schedule), field, 2.0)
    for part in (field, wrapped):
        fields.check_end(part, 1 - 1e-3)
        if singular:
            with pytest.raises(ValueError, match="end before it"):
                fields.check_end(part, 1.0)
        else:
            fields.check_end(part, 1.0)
    fields.check_end(fields.reverse(field), 1.0)


@pytest.mark.parametrize("name", ["condot", "cosine", "cosine_vp"])
@pytest.mark.parametrize("kind", ["noise", "score"])
def test_alpha_zero_is_frozen(name, kind):
    schedule = SCHEDULES[name]
    field = fields.from_prediction(exact_network(schedule, kind), schedule, kind)
    start = schedule.time_at_log_snr(jnp.asarray(-5.1))
    assert 0 < start < 0.05
    close(field(0.0, X), field(start, X), atol=1e-9)
    close(field(0.0, X), oracles.field(schedule, MIXTURE)(0.0, X), atol=0.1)
    assert float(jnp.abs(field(1.1 * start, X) - field(start, X)).max()) > 1e-8


@pytest.mark.parametrize("name", ["vp", "edm", "discrete_vp"])
def test_alpha_above_zero_is_not_frozen(name):
    schedule = SCHEDULES[name]
    field = fields.from_prediction(exact_network(schedule, "noise"), schedule)
    t = jnp.zeros(4)
    x = on_path(schedule, t=t)
    close(field(t, x), oracles.field(schedule, MIXTURE)(t, x), atol=1e-10)
    # A very noisy VE path is below the clip, but divides by alpha = 1.
    wide = schedules.EDM(0.002, 1000.0)
    field = fields.from_prediction(exact_network(wide, "noise"), wide)
    close(field(t, x), oracles.field(wide, MIXTURE)(t, x), atol=1e-9)


def test_edm_is_finite_at_both_ends_of_a_path():
    schedule = schedules.CondOT()
    network = lambda tau, x: jnp.tanh(x) * tau[:, None]
    field = fields.from_prediction(network, schedule, "edm", time="log_sigma/4")
    chex.assert_tree_all_finite([field(0.0, X), field(1 - 1e-6, X)])


@pytest.mark.parametrize("shape", [(), (2,), (4, 4, 1)])
def test_any_shape_and_either_time(shape):
    # N(0, 1/4) data: every element is a sample of its own.
    schedule = schedules.CondOT()
    x = jax.random.normal(jax.random.key(3), (3, *shape))

    def network(t, x):
        alpha, sigma = (a.reshape(-1, *(1,) * len(shape)) for a in schedule(t))
        return sigma * x / ((alpha / 2) ** 2 + sigma**2)

    native = fields.from_prediction(network, schedule)
    guided = fields.guide(native, lambda t, x: x, 0.5)
    new = fields.change_schedule(native, schedule, schedules.Cosine())
    limited = fields.threshold(native, schedule)
    for field in (native, guided, new, limited):
        batched = field(jnp.full(3, 0.3), x)
        assert batched.shape == x.shape
        close(field(0.3, x), batched, atol=0)
        rows = field(jnp.array([0.1, 0.3, 0.6]), x)
        close(rows[1], batched[1], atol=1e-14)


# What is refused


class Module(linen.Module):
    pass


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fields.as_field(3.0), "expected a field"),
        (lambda: fields.as_field(Module()), "from_flax"),
        (
            lambda: fields.from_prediction(jnp.sin, schedules.CondOT(), "nois"),
            "Did you mean 'noise'",
        ),
        (
            lambda: fields.from_prediction(jnp.sin, schedules.CondOT(), "flow"),
            '(?!.*did you mean).*data - noise .*"velocity".*noise - data.*"noise-data"',
        ),
        (
            lambda: fields.from_prediction(jnp.sin, schedules.CondOT(), "v_prediction"),
            '"v_prediction" of diffusers are "noise", "data" and "v"',
        ),
        (
            lambda: fields.from_prediction(jnp.sin, schedules.VP(), time="level"),
            "no discrete levels",
        ),
        (
            lambda: fields.from_prediction(
                jnp.sin, schedules.CondOT(), time="1000(1-t"
            ),
            "Did you mean '1000\\(1-t\\)'",
        ),
        (lambda: fields.scale_time(jnp.sin, 1.0, jnp.square), "scale"),
        (
            lambda: fields.from_prediction(
                lambda t, x: x[:, :1], schedules.CondOT(), "data"
            )(0.5, X),
            "shape of x",
        ),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_as_field_traces_the_arrays_of_a_partial():
    traces = []

    def network(w, t, x):
        traces.append(None)
        return w * x

    solve = jax.jit(lambda field, x: field(0.5, x))
    for w in (1.0, 2.0, 3.0):
        field = fields.as_field(functools.partial(network, jnp.asarray(w)))
        assert float(solve(field, jnp.ones(1))[0]) == w
    assert len(traces) == 1


def test_as_field_takes_any_other_callable_as_static():
    class Network:
        def __call__(self, t, x):
            return 2 * x

    field = fields.as_field(Network())
    assert jax.tree.leaves(field) == []
    assert float(jax.jit(lambda f, x: f(0.5, x))(field, jnp.ones(1))[0]) == 2.0


def test_as_field_keeps_a_pytree_and_wraps_a_function():
    field = Partial(jnp.sin)
    assert fields.as_field(field) is field
    wrapped = fields.as_field(jax.jit(lambda t, x: t * x))
    assert isinstance(wrapped, Partial)
    assert jax.jit(lambda f: f(2.0, 3.0))(wrapped) == 6.0

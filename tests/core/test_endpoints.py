"""W, data and noise from a velocity, and theorem 2.3: identities on every schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bespoke_jax.core.endpoints import Endpoints
from bespoke_jax.core.tracing import trace
from bespoke_jax.schedules import (
    EDM,
    VP,
    CondOT,
    Cosine,
    CosineVP,
    DiscreteVP,
    Scaled,
    Shifted,
    endpoints,
)

SCHEDULES = [
    VP(),
    CondOT(),
    Cosine(),
    CosineVP(),
    EDM(),
    DiscreteVP(np.cumprod(1 - np.linspace(1e-3, 0.3, 30))),
    Scaled(VP(), 3.0),
    Shifted(CondOT(), 2.0),
]
NAMES = [type(s).__name__ for s in SCHEDULES]
T = np.linspace(0.0301, 0.9704, 41)  # no joint among them
DATA, NOISE = np.random.default_rng(0).normal(size=(2, T.size))
every = pytest.mark.parametrize("schedule", SCHEDULES, ids=NAMES)


def on_path(path):
    """The state and velocity of fixed data and noise."""
    x = path.alpha * DATA + path.sigma * NOISE
    return x, path.d_alpha * DATA + path.d_sigma * NOISE


@every
def test_state_and_velocity_give_back_data_and_noise(schedule):
    path = endpoints.at(schedule, T)
    x, u = on_path(path)
    np.testing.assert_allclose(path.data(x, u), DATA, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(path.noise(x, u), NOISE, rtol=1e-9, atol=1e-9)
    for (beta, gamma), end in ((path.from_data, DATA), (path.from_noise, NOISE)):
        scale = np.abs(u) + np.abs(beta * x)
        assert np.all(np.abs(beta * x + gamma * end - u) <= 1e-12 * scale)


@every
def test_W_is_positive_and_the_rate_of_the_signal_to_noise_ratio(schedule):
    path, h = endpoints.at(schedule, T), 1e-6
    before, after = (1 / schedule.nsr(T + d) for d in (-h, h))
    assert np.all(path.W > 0)
    np.testing.assert_allclose(
        path.W, path.sigma**2 * (after - before) / (2 * h), rtol=2e-6
    )


@every
@pytest.mark.parametrize("new", SCHEDULES, ids=NAMES)
def test_a_change_of_schedule_takes_one_path_to_the_other(schedule, new):
    snr = np.linspace(-1.5, 1.5, 21)  # half log-SNRs that all of them have
    snr = snr[np.abs(snr[:, None] - joints_of(schedule, new)).min(1) > 1e-3]
    old = endpoints.at(schedule, schedule.time_at_log_snr(snr))
    other = endpoints.at(new, new.time_at_log_snr(snr))
    scale, growth, gain = endpoints.change(old, other)
    np.testing.assert_allclose(scale * old.alpha, other.alpha, rtol=1e-9)
    np.testing.assert_allclose(scale * old.sigma, other.sigma, rtol=1e-9)
    # Data and noise stay: (d/dr) of y = s x is the new path's own velocity.
    for a, b in ((1.0, 0.0), (0.0, 1.0), (0.7, -1.2)):
        x, u = (a * old.alpha + b * old.sigma, a * old.d_alpha + b * old.d_sigma)
        want = a * other.d_alpha + b * other.d_sigma
        got = growth * scale * x + gain * u
        terms = np.abs(growth * scale * x) + np.abs(gain * u)
        assert np.all(np.abs(got - want) <= 1e-9 * (terms + np.abs(want)))


def joints_of(*schedules):
    """Half log-SNRs at which a rate jumps, and infinity."""
    found = [s.log_snr(s.joints) for s in schedules if hasattr(s, "joints")]
    return np.concatenate([[np.inf], *found])


@every
def test_a_change_to_the_same_schedule_is_none(schedule):
    path = endpoints.at(schedule, T)
    scale, growth, gain = endpoints.change(path, path)
    np.testing.assert_array_equal(scale, 1)
    np.testing.assert_allclose(gain, 1, rtol=1e-14)
    np.testing.assert_allclose(growth, 0, atol=1e-11)


def test_changes_compose():
    snr = np.linspace(-1.5, 1.5, 21)
    vp, ot, edm = (
        endpoints.at(s, s.time_at_log_snr(snr)) for s in (VP(), CondOT(), EDM())
    )
    one, two, both = (
        endpoints.change(vp, ot), endpoints.change(ot, edm), endpoints.change(vp, edm)
    )  # fmt: skip
    np.testing.assert_allclose(one.scale * two.scale, both.scale, rtol=1e-11)
    np.testing.assert_allclose(one.gain * two.gain, both.gain, rtol=1e-11)


def test_a_change_is_finite_at_pure_noise():
    old, new = (endpoints.at(s, np.zeros(1)) for s in (CondOT(), Cosine()))
    assert np.isfinite(endpoints.change(old, new)).all()


@every
def test_jax_gives_the_numbers_of_numpy(schedule):
    other = CondOT()

    def all_of(t):
        path = endpoints.at(schedule, t)
        r = other.time_at_log_snr(schedule.log_snr(t))
        return path.W, *endpoints.change(path, endpoints.at(other, r))

    got = jax.jit(all_of)(jnp.asarray(T))
    assert all(isinstance(value, jax.Array) for value in got)
    for one, two in zip(got, all_of(T), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-8)


def test_symbols_and_numbers():
    path = Endpoints(*(float(value) for value in endpoints.at(VP(), 0.4)))
    solver = trace(lambda u, x: path.data(x, u(0.4, x)), end=1.0)
    weights = [-path.d_sigma / path.W, path.sigma / path.W]
    np.testing.assert_allclose([solver.p[0, 0], solver.q[0, 0]], weights, rtol=1e-15)

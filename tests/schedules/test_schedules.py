"""Schedules: exact inverses at both ends, honest derivatives, published numbers."""

import json
import math
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marks import quick_are

from bespoke_jax.core.protocols import Schedule
from bespoke_jax.schedules import (
    EDM,
    VP,
    CondOT,
    Cosine,
    CosineVP,
    DiscreteVP,
    Scaled,
)

DDPM = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
ALL = [CondOT(), Cosine(), VP(), CosineVP(), DiscreteVP(DDPM), EDM(), Scaled(VP(), 2)]
ZERO_SNR = [CondOT(), Cosine(), CosineVP()]  # alpha_0 = 0
SMOOTH = [s for s in ALL if not isinstance(s, DiscreteVP)]
PRESERVING = [Cosine(), VP(), CosineVP(), DiscreteVP(DDPM)]

LAST = 1 - 1e-5
TIMES = np.concatenate(
    [np.linspace(0, LAST, 4001), np.geomspace(1e-6, 0.5), 1 - np.geomspace(1e-5, 0.5)]
)
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden.json").read_text())

each = pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
# On device every operation is compiled by itself: the quick tests take two paths.
each_on_device = pytest.mark.parametrize(
    "schedule", quick_are((CondOT(), VP()), ALL), ids=lambda s: type(s).__name__
)


def entries(*families):
    return [entry for entry in GOLDEN["entries"] if entry["family"] in families]


# Round trips and precision.


@each
def test_inverses_are_exact_in_float64(schedule):
    back = schedule.time_at_nsr(schedule.nsr(TIMES))
    np.testing.assert_allclose(back, TIMES, rtol=0, atol=1e-12)
    back = schedule.time_at_log_snr(schedule.log_snr(TIMES))
    np.testing.assert_allclose(back, TIMES, rtol=0, atol=1e-12)


@given(t=st.floats(0.0, LAST), which=st.integers(0, len(ALL) - 1))
def test_inverses_are_exact_anywhere(t, which):
    schedule = ALL[which]
    assert abs(schedule.time_at_nsr(schedule.nsr(t)) - t) <= 1e-12
    assert abs(schedule.time_at_log_snr(schedule.log_snr(t)) - t) <= 1e-12


@given(
    log_beta_min=st.floats(-3, 1),
    ratio=st.floats(1, 1e3),
    t=st.floats(0.0, LAST),
    sigma_min=st.floats(1e-3, 0.5),
    rho=st.floats(1, 10),
    s=st.floats(1e-3, 0.1),
)
@settings(max_examples=200)
def test_inverses_are_exact_for_any_parameters(
    log_beta_min, ratio, t, sigma_min, rho, s
):
    beta_min = 10**log_beta_min
    # Beyond T_0 = 40, 1 - exp(-T) is 1 in float64 and alpha_0 is 2e-9.
    vp = VP(beta_min, min(beta_min * ratio, 80 - beta_min))
    for schedule in (vp, EDM(sigma_min, 80.0, rho), CosineVP(s)):
        assert abs(schedule.time_at_nsr(schedule.nsr(t)) - t) <= 1e-12
        assert abs(schedule.time_at_log_snr(schedule.log_snr(t)) - t) <= 1e-12


def spacing_in_time(schedule, value, t):
    """How far apart in time the float32 neighbours of value(t) are."""
    d = 1e-7
    slope = (value(t + d) - value(np.maximum(t - d, 0))) / (d + np.minimum(t, d))
    return np.spacing(np.abs(value(t)).astype(np.float32)) / np.abs(slope)


@each_on_device
@pytest.mark.parametrize("name", ["nsr", "log_snr"])
def test_inverses_hold_in_float32_as_far_as_it_can_represent(schedule, name):
    t = jnp.asarray(TIMES, jnp.float32)
    t = t[(t > 1e-6) & (t <= LAST)]
    forward, inverse = getattr(schedule, name), getattr(schedule, f"time_at_{name}")
    back = inverse(forward(t))
    assert back.dtype == jnp.float32
    exact = np.asarray(t, np.float64)
    # 1e-5 relative, or one spacing of the value where that is the coarser.
    allowed = np.maximum(1e-5 * exact, spacing_in_time(schedule, forward, exact))
    assert np.all(np.abs(np.asarray(back, np.float64) - exact) <= allowed)
    # The spacing excuses small times of finite-NSR starts only.
    assert np.all(allowed[exact > 0.02] == 1e-5 * exact[exact > 0.02])
    if schedule in ZERO_SNR:
        np.testing.assert_allclose(back, exact, rtol=1e-5)


@each_on_device
def test_float32_values_follow_float64_up_to_the_data(schedule):
    t = jnp.asarray(TIMES, jnp.float32)
    t = t[(t > 0) & (t <= LAST)]
    exact = np.asarray(t, np.float64)
    np.testing.assert_allclose(schedule.nsr(t), schedule.nsr(exact), rtol=1.5e-6)
    for got, want in zip(schedule(t), schedule(exact), strict=True):
        np.testing.assert_allclose(got, want, rtol=1.5e-6)
    for got, want in zip(schedule.rates(t), schedule.rates(exact), strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6)


def test_naive_float32_would_fail_that_bound():
    # sqrt(1 - alpha^2) next to the data, as in the programs: 2.4 % wrong.
    alpha, sigma = VP()(jnp.float32(LAST))
    naive = jnp.sqrt(1 - alpha**2)
    assert abs(float(naive / sigma) - 1) > 1e-2


# Ends.


@each_on_device
def test_ends_are_numbers_or_honest_infinities(schedule):
    host = np.array([0.0, 1.0])
    for ends in (host, jnp.array(host), jnp.array(host, jnp.float32)):
        alpha, sigma = schedule(ends)
        nsr, l = schedule.nsr(ends), schedule.log_snr(ends)
        assert not np.any(np.isnan([alpha, sigma, nsr, l, *schedule.rates(ends)]))
        tolerance = 1e-6 if nsr.dtype == np.float32 else 1e-14
        np.testing.assert_allclose(alpha[1], 1, rtol=tolerance)
        np.testing.assert_array_equal(schedule.time_at_nsr(nsr), [0, 1])
        np.testing.assert_array_equal(schedule.time_at_log_snr(l), [0, 1])
        if not isinstance(schedule, EDM):
            assert sigma[1] == 0 and nsr[1] == 0 and l[1] == np.inf
        if schedule in ZERO_SNR:
            assert alpha[0] == 0 and nsr[0] == np.inf and l[0] == -np.inf


@each
def test_a_ratio_beyond_an_end_answers_that_end(schedule):
    np.testing.assert_array_equal(schedule.time_at_nsr(np.array([np.inf, 0])), [0, 1])
    far = np.array([-np.inf, np.inf])
    np.testing.assert_array_equal(schedule.time_at_log_snr(far), [0, 1])
    np.testing.assert_array_equal(schedule.time_at_log_snr(jnp.array(far)), [0, 1])


@pytest.mark.slow
def test_reverse_mode_stays_finite_where_the_derivative_is():
    t = jnp.array([1e-6, 1e-3, 0.3, 0.5, 0.9, 1 - 1e-6])
    for schedule in ALL:
        trip = lambda t, s=schedule: s.time_at_nsr(s.nsr(t))
        np.testing.assert_allclose(jax.vmap(jax.grad(trip))(t), 1, rtol=1e-6)
        trip = lambda t, s=schedule: s.time_at_log_snr(s.log_snr(t))
        np.testing.assert_allclose(jax.vmap(jax.grad(trip))(t), 1, rtol=1e-6)
    for schedule in (VP(), DiscreteVP(DDPM), EDM()):  # a finite start has a slope too
        for name in ("nsr", "log_snr"):
            forward = getattr(schedule, name)
            inverse = getattr(schedule, f"time_at_{name}")
            slope = jax.grad(lambda t, f=forward, i=inverse: i(f(t)))(0.0)
            np.testing.assert_allclose(slope, 1, rtol=1e-12)


# Meaning.


@each
def test_ratios_are_those_of_the_path_and_monotone(schedule):
    t = np.linspace(1e-3, 1 - 1e-3, 999)
    alpha, sigma = schedule(t)
    np.testing.assert_allclose(schedule.nsr(t), sigma / alpha, rtol=1e-13)
    np.testing.assert_allclose(
        schedule.log_snr(t), np.log(alpha / sigma), rtol=1e-13, atol=1e-13
    )
    assert np.all(np.diff(schedule.nsr(t)) < 0)
    assert np.all(np.diff(schedule.log_snr(t)) > 0)


@pytest.mark.parametrize("schedule", PRESERVING, ids=lambda s: type(s).__name__)
def test_variance_preserving(schedule):
    alpha, sigma = schedule(TIMES)
    np.testing.assert_allclose(alpha**2 + sigma**2, 1, rtol=0, atol=1e-15)


@each_on_device
def test_rates_are_the_derivatives(schedule):
    # Between the levels of the discrete path, where it is differentiable.
    t, h = np.linspace(0.0105, 0.9895, 90), 1e-5
    (a1, s1), (a0, s0) = schedule(t + h), schedule(t - h)
    for xs in (t, jnp.asarray(t)):
        d_alpha, d_sigma = schedule.rates(xs)
        np.testing.assert_allclose(d_alpha, (a1 - a0) / (2 * h), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(d_sigma, (s1 - s0) / (2 * h), rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@each
def test_host_and_jax_agree(schedule):
    t = np.linspace(0.0, LAST, 77).reshape(7, 11)
    xs = jnp.asarray(t)
    pairs = [
        (schedule(t), jax.jit(schedule)(xs)),
        (schedule.rates(t), jax.vmap(jax.vmap(schedule.rates))(xs)),
    ]
    for host, device in pairs:
        chex.assert_shape([*host, *device], (7, 11))
        np.testing.assert_allclose(host, device, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(schedule.nsr(t), schedule.nsr(xs), rtol=1e-12)


@each
def test_the_host_computes_in_float64_without_x64(schedule):
    with jax.enable_x64(False):
        t = np.array([0.25, 0.75], np.float32)
        got = [*schedule(t), *schedule.rates(t), schedule.nsr(t)]
        assert all(isinstance(g, np.ndarray) and g.dtype == np.float64 for g in got)
        assert abs(schedule.time_at_nsr(schedule.nsr(0.3)) - 0.3) < 1e-15
        assert schedule.nsr(0.3).dtype == np.float64
        assert schedule.nsr(jnp.float32(0.3)).dtype == jnp.float32
        assert schedule.rates(jnp.array(1))[1].dtype == jnp.float32


def test_closed_forms():
    t = np.array([0.0, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(CondOT().time_at_nsr(1 / t[1:]), t[1:] / (1 + t[1:]))
    np.testing.assert_allclose(Cosine().time_at_nsr(1.0), 0.5)
    # A constant beta: T = beta (1 - t).
    np.testing.assert_allclose(VP(5.0, 5.0)(t)[0], np.exp(-2.5 * (1 - t)), rtol=1e-14)
    np.testing.assert_allclose(VP()(0.0)[0], 0.00657158649492963, rtol=1e-14)
    np.testing.assert_allclose(EDM(rho=1.0).nsr(t), 80 + t * (0.002 - 80), rtol=1e-13)
    # As s -> 0 the improved-DDPM cosine is the cosine path.
    np.testing.assert_allclose(CosineVP(1e-9)(t), Cosine()(t), rtol=0, atol=1e-8)
    # Half-way, the decay is known for any s.
    a = math.pi / 2 * 0.508 / 1.008
    want = math.cos(a) / math.cos(math.pi / 2 * 0.008 / 1.008)
    np.testing.assert_allclose(CosineVP()(0.5)[0], want, rtol=1e-15)


def test_edm_grid_is_uniform_in_time():
    ve = [e for e in entries("ve") if "schedule_rho" in e["params"]]
    polynomial = [e for e in ve if e["params"]["schedule_type"] == "polynomial"]
    assert polynomial
    for entry in polynomial:
        p = entry["params"]
        schedule = EDM(p["sigma_min"], p["sigma_max"], float(p["schedule_rho"]))
        sigma = np.array(entry["nodes_sigma"])
        sigma = sigma[sigma > 0]  # some programs append a last step to 0
        uniform = np.linspace(0, 1, sigma.size)
        np.testing.assert_allclose(schedule(uniform)[1], sigma, rtol=1e-12)


# Numbers of the published programs.


@pytest.mark.parametrize("family", ["vp", "vp_discrete"])
def test_golden_nodes(family):
    schedule = VP() if family == "vp" else DiscreteVP(DDPM)
    checked = 0
    for entry in entries(family):
        if entry["node_variable"] != "tau":
            continue
        t = 1 - np.array(entry["nodes"])
        t = np.where(np.abs(t) < 1e-12, 0, t)
        # A last denoising to alpha = 1 is no node of the grid.
        alpha = np.array(entry["nodes_alpha"])[: t.size]
        sigma = np.array(entry["nodes_sigma"])[: t.size]
        np.testing.assert_allclose(schedule(t)[0], alpha, rtol=1e-12)
        # The programs lose digits in sqrt(1 - alpha^2), hence also in the ratio.
        np.testing.assert_allclose(schedule(t)[1], sigma, rtol=1e-10)
        np.testing.assert_allclose(schedule.time_at_nsr(sigma / alpha), t, atol=1e-12)
        checked += 1
    assert checked >= (100 if family == "vp" else 9)


def test_golden_discrete_calls_between_the_levels():
    schedule = DiscreteVP(DDPM)
    for entry in entries("vp_discrete"):
        t = 1 - np.array(entry["model_call_times"])
        np.testing.assert_allclose(
            schedule(t)[0], entry["extra"]["call_alpha"], rtol=1e-12
        )


def test_golden_rates_and_theorem_2_3():
    known = {"CondOT": CondOT(), "VP": VP(), "Cosine": Cosine()}
    checked = 0
    for entry in entries("schedule_change"):
        if entry["params"]["new"] not in known:
            continue
        t = np.array(entry["t"])
        new = known[entry["params"]["new"]]
        old = known[entry["params"]["original"]]
        want = np.array(entry["alpha_sigma_dalpha_dsigma"]).T
        np.testing.assert_allclose([*new(t), *new.rates(t)], want, rtol=1e-12)
        s = old.time_at_nsr(new.nsr(t))
        np.testing.assert_allclose(s, entry["t_original"], rtol=1e-12)
        np.testing.assert_allclose(new(t)[1] / old(s)[1], entry["scale_s"], rtol=1e-12)
        checked += 1
    assert checked == 4


def test_discrete_levels_and_the_data_end():
    schedule = DiscreteVP(DDPM)
    n = np.arange(1, 1001)
    np.testing.assert_allclose(schedule(1 - n / 1000)[0] ** 2, DDPM, rtol=1e-12)
    # Closer to the data than the last level: valid, where programs extrapolate.
    alpha, sigma = schedule(1 - 1e-4)
    np.testing.assert_allclose(np.log(alpha), 0.1 * np.log(DDPM[0]) / 2, rtol=1e-9)
    assert 0 < sigma < schedule(1 - 1e-3)[1]


# As values.


def test_schedules_are_hashable_static_values():
    for schedule in ALL:
        assert isinstance(schedule, Schedule)
        assert jax.tree.leaves(schedule) == [schedule]  # static, not a pytree
    assert DiscreteVP(DDPM) == DiscreteVP(jnp.asarray(DDPM)) != DiscreteVP(DDPM[:-1])
    assert VP() == VP(0.1, 20) != VP(0.1, 19.0)
    assert len({*ALL, *ALL}) == len(ALL)
    assert len(repr(DiscreteVP(DDPM))) < 60

    @jax.jit
    @chex.assert_max_traces(1)
    def ratio(t):
        return VP().nsr(t)

    assert ratio(jnp.array(0.1)) > ratio(jnp.array(0.2))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: VP(beta_min=0.0), "beta_min must be a finite number above 0; got 0"),
        (lambda: VP(20.0, 0.1), "beta_min must not exceed beta_max"),
        (lambda: EDM(sigma_max=math.inf), "sigma_max must be a finite"),
        (lambda: EDM(80.0, 0.002), "sigma_min must be below sigma_max"),
        (lambda: CosineVP(-1.0), "s must be a finite number above 0; got -1"),
        (lambda: DiscreteVP(DDPM[::-1]), "strictly decrease"),
        (lambda: DiscreteVP(np.array([0.9, -0.1])), "inside .0, 1. .*; got -0.1"),
        (lambda: DiscreteVP(np.array([0.9, np.nan])), "got nan"),
        (lambda: DiscreteVP(()), "got shape .0,."),
    ],
)
def test_bad_parameters_say_what_was_expected(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_scaled_noise_is_the_paths_own_at_another_time():
    """CondOT at sigma_0 = 5: half-way is the old time 1 / 6 (Shaul et al., 2024)."""
    base, scaled = CondOT(), Scaled(CondOT(), 5)
    assert base.time_at_nsr(scaled.nsr(0.5)) == pytest.approx(1 / 6)
    r = np.linspace(0, 1, 11)
    np.testing.assert_allclose(base.time_at_nsr(scaled.nsr(r)), r / (r + 5 * (1 - r)))
    assert scaled(0.0)[1] == 5
    with pytest.raises(ValueError, match="sigma_0"):
        Scaled(CondOT(), 0)

"""Discrete levels: float32 at every joint, integer steps, zero terminal SNR, DDIM."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import quick_are, slowly
from oracles import GAUSSIAN, gaussian_flow, posterior_means

import bespoke_jax as bj
from bespoke_jax.schedules import DiscreteVP, check

RATIOS = ("nsr", "log_snr")


def linear(N):
    return np.cumprod(1 - np.linspace(0.1 / N, 20 / N, N))


def cosine(N):
    f = lambda u: np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2
    n = np.arange(N)
    return np.cumprod(1 - np.minimum(1 - f((n + 1) / N) / f(n / N), 0.999))


DDPM = DiscreteVP(linear(1000))
KINDS = {
    f"{betas.__name__}{'-zero' * zero}-{N}": (betas, N, zero)
    for betas in (linear, cosine)
    for zero in (False, True)
    for N in (500, 1000, 4000)
}


QUICK = ("linear-1000", "cosine-zero-1000")


@pytest.fixture(scope="module", params=quick_are(QUICK, KINDS))
def discrete(request):
    betas, N, zero = KINDS[request.param]
    path = DiscreteVP(betas(N))
    return path.zero_terminal_snr() if zero else path


def close(got, want, rtol, floor=0.0):
    """Within rtol of the float64 value; infinities and zeros are exact."""
    got, want = np.asarray(got, np.float64), np.asarray(want)
    exact = ~np.isfinite(want) | (want == 0)
    np.testing.assert_array_equal(got[exact], want[exact])
    got, want = got[~exact], want[~exact]
    error = np.abs(got - want) / (np.abs(want) + floor)
    assert error.max() < rtol, error.max()


def test_float32_at_every_level_is_float64(discrete):
    N = len(discrete.alphas_bar)
    t = 1 - np.arange(N + 1) / N
    single = jnp.asarray(t, jnp.float32)
    bar = np.append(1.0, discrete.alphas_bar)
    np.testing.assert_allclose(discrete(t)[0] ** 2, bar, rtol=1e-14)
    np.testing.assert_allclose(discrete(t)[1] ** 2, 1 - bar, rtol=1e-14)
    for method in (discrete, discrete.rates):
        for got, want in zip(jax.jit(method)(single), method(t), strict=True):
            assert got.dtype == jnp.float32
            close(got, want, 1e-6)
    for name in RATIOS:
        value = getattr(discrete, name)(t)
        got = jax.jit(getattr(discrete, name))(single)
        close(got, value, 1e-6, floor=float(name == "log_snr"))
        inverse = getattr(discrete, f"time_at_{name}")
        np.testing.assert_array_equal(inverse(value), t)
        np.testing.assert_array_equal(jax.jit(inverse)(got), single)
        close(jax.jit(inverse)(jnp.asarray(value, jnp.float32)), t, 1e-6)


def test_float32_times_that_were_computed_and_those_between_the_levels(discrete):
    N = len(discrete.alphas_bar)
    n = np.arange(1, N // 2)
    # 1 - n / N in float32 is the level or a neighbour of it.
    t = np.float32(1) - n.astype(np.float32) / np.float32(N)
    want = discrete(1 - n / N)
    for got, exact in zip(jax.jit(discrete)(jnp.asarray(t)), want, strict=True):
        close(got, exact, 1e-6)
    # Elsewhere the time is what float32 says it is.
    t = np.float32((np.arange(1, N) + 0.37) / N)
    for method, rtol in ((discrete, 1e-6), (discrete.nsr, 1e-6)):
        got, want = jax.jit(method)(jnp.asarray(t)), method(np.float64(t))
        close(np.stack([got]), np.stack([want]), rtol)


def test_values_between_the_levels_are_those_of_the_definition(discrete):
    N = len(discrete.alphas_bar)
    rng = np.random.default_rng(0)
    t = rng.uniform(0, 1, 2000)
    bar = np.append(1.0, discrete.alphas_bar)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_alpha = np.interp((1 - t) * N, np.arange(N + 1), np.log(bar) / 2)
    alpha = np.exp(log_alpha)
    ramp = t < 1 / N
    if bar[-1] == 0:
        alpha[ramp] = (np.sqrt(bar[-2]) * t * N)[ramp]
    for x in (t, jnp.asarray(t)):
        np.testing.assert_allclose(discrete(x)[0], alpha, rtol=1e-11)
        np.testing.assert_allclose(discrete(x)[1] ** 2, 1 - alpha**2, atol=1e-14)
        for name in RATIOS:
            back = getattr(discrete, f"time_at_{name}")(getattr(discrete, name)(x))
            np.testing.assert_allclose(back, t, rtol=0, atol=1e-13)
    check(discrete)


@pytest.mark.slow
def test_host_and_device_take_the_side_of_the_data_at_every_joint():
    t = DDPM.joints
    assert t.shape == (999,) and np.all(np.diff(t) > 0) and 0 < t[0] < t[-1] < 1
    want = DDPM.rates(t + 1e-5)[0] / DDPM(t + 1e-5)[0]  # constant on a segment
    before = DDPM.rates(t - 1e-5)[0] / DDPM(t - 1e-5)[0]
    assert np.abs(want / before - 1).min() > 1e-3
    single = np.float32(t)
    for x in (t, np.float64(single), jnp.asarray(t), jnp.asarray(single)):
        got = np.asarray(DDPM.rates(x)[0] / DDPM(x)[0])
        np.testing.assert_allclose(got, want, rtol=2e-7)


def test_integer_steps_and_times_are_inverse(discrete):
    N = len(discrete.alphas_bar)
    k = np.arange(N)
    t = discrete.time(k)
    np.testing.assert_array_equal(t, 1 - (k + 1) / N)
    np.testing.assert_array_equal(discrete.step(t), k)
    device = jax.jit(discrete.step)(jnp.asarray(t, jnp.float32))
    np.testing.assert_array_equal(device, k)
    np.testing.assert_allclose(discrete(t)[0] ** 2, discrete.alphas_bar, rtol=1e-14)
    assert discrete.time(3) == 1 - 4 / N and discrete.step(1.0) == -1
    np.testing.assert_allclose(discrete.step(1 - 1.25 / N), 0.25, rtol=1e-9)


@pytest.mark.parametrize("step", [-1, 1000, 1.5, True])
def test_steps_that_are_none_are_refused(step):
    with pytest.raises(ValueError, match="steps must"):
        DDPM.time(step)


# Zero terminal SNR.


def test_zero_terminal_snr_is_algorithm_1():
    # Lin et al., 2023: shift sqrt(alpha_bar) to end at 0, scale the first one back.
    a = np.sqrt(DDPM.alphas_bar)
    zero = DDPM.zero_terminal_snr()
    b = np.sqrt(zero.alphas_bar)
    assert b[-1] == 0 and abs(b[0] - a[0]) < 1e-15
    slope = np.diff(b) / np.diff(a)
    np.testing.assert_allclose(slope, slope[0], rtol=1e-9)
    # The program's scale factor for SD's schedule, by hand.
    np.testing.assert_allclose(slope[0], a[0] / (a[0] - a[-1]), rtol=1e-9)
    twice = zero.zero_terminal_snr()
    np.testing.assert_allclose(twice.alphas_bar, zero.alphas_bar, rtol=1e-14)
    assert zero(0.0) == (0.0, 1.0)
    assert zero.nsr(0.0) == np.inf and zero.log_snr(0.0) == -np.inf
    d_alpha, d_sigma = zero.rates(0.0)
    np.testing.assert_allclose((d_alpha, d_sigma), (1000 * b[-2], 0), rtol=1e-14)
    jitted = jax.jit(zero.rates)(jnp.zeros(()))
    np.testing.assert_allclose(jitted, (d_alpha, d_sigma), rtol=1e-14)
    with pytest.raises(ValueError, match="two or more levels"):
        DiscreteVP((0.5,)).zero_terminal_snr()
    for bad in ((0.0,), (0.9, 0.0, 0.0), (0.0, 0.5)):
        with pytest.raises(ValueError, match="inside|strictly decrease"):
            DiscreteVP(bad)


@pytest.mark.slow
def test_v_prediction_runs_from_pure_noise():
    zero = DDPM.zero_terminal_snr()

    def v(t, x):
        alpha, sigma = (jnp.reshape(c, (-1, 1)) for c in zero(t))
        x1, x0 = posterior_means(GAUSSIAN, x, *zero(t))
        return alpha * x0 - sigma * x1

    u = bj.fields.from_prediction(v, zero, "v")
    x0 = jax.random.normal(jax.random.key(0), (16, 2))
    # At SNR 0 the network alone answers, with the mean of the data.
    np.testing.assert_allclose(
        bj.fields.data_prediction(u, zero)(0.0, x0), np.tile(GAUSSIAN.mu, (16, 1))
    )
    want = gaussian_flow(zero, GAUSSIAN, x0, 0.0, 0.999)
    for name in bj.solvers.TABLE:
        solver = bj.solvers.construct(name, 60, schedule=zero, end=0.999)
        error = jnp.sqrt(jnp.mean((bj.sample(u, solver, x0) - want) ** 2))
        assert error < (0.2 if bj.solvers.TABLE[name].measured < 1.5 else 0.05), name


@pytest.mark.parametrize("kind", ["noise", "score"])
def test_noise_predictions_are_refused_at_zero_terminal_snr(kind):
    zero = DDPM.zero_terminal_snr()
    with pytest.raises(ValueError, match=f"{kind!r}.*zero terminal SNR.*'v'"):
        bj.fields.from_prediction(lambda t, x: x, zero, kind)
    bj.fields.from_prediction(lambda t, x: x, DDPM, kind)


# DDIM at the network's own steps.


def noise_of(alpha, sigma, x):
    """E[eps | x] for data N(1.5, 0.5^2), closed form."""
    return sigma * (x - 1.5 * alpha) / ((0.5 * alpha) ** 2 + sigma**2)


@pytest.mark.parametrize("end", [1.0, None], ids=["to alpha 1", "to level 1"])
@pytest.mark.parametrize("count", [slowly(10), 13, slowly(1000)])
@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
def test_ddim_at_integer_steps_is_the_float64_loop(x64, count, end):
    steps = np.round(np.linspace(999, 0, count)).astype(int)
    X = np.random.default_rng(0).standard_normal((64, 2)).astype(np.float32)
    bar = np.append(linear(1000)[steps], [1.0] * (end == 1.0))
    x = X.astype(np.float64)
    for now, then in zip(bar, bar[1:], strict=False):
        eps = noise_of(np.sqrt(now), np.sqrt(1 - now), x)
        x1 = (x - np.sqrt(1 - now) * eps) / np.sqrt(now)
        x = np.sqrt(then) * x1 + np.sqrt(1 - then) * eps

    def eps(t, x):
        alpha, sigma = (jnp.reshape(v, (-1, 1)) for v in DDPM(t))
        return noise_of(alpha, sigma, x)

    with jax.enable_x64(x64):
        u = bj.fields.from_prediction(eps, DDPM, "noise")
        grid = bj.grids.from_timesteps(steps, levels=1000, end=end)
        solver = bj.solvers.ddim(DDPM, nfe=len(bar) - 1, grid=grid)
        start = jnp.asarray(X, float if x64 else jnp.float32)
        got = np.asarray(bj.sample(u, solver, start), np.float64)
    error = np.sqrt(np.mean((got - x) ** 2, axis=1) / np.mean(x**2, axis=1))
    assert np.mean(error) < (1e-13 if x64 else 1e-6)

"""Errors are a norm of the difference, per sample; PSNR counts in decibels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bespoke_jax import metrics

RNG = np.random.default_rng(0)
X, Y, Z = RNG.standard_normal((3, 5, 4, 4, 2))


def test_a_constant_shift_is_its_own_error():
    shift = np.arange(5.0)
    np.testing.assert_allclose(
        metrics.errors(X + shift[:, None, None, None], X), shift, atol=1e-12
    )
    np.testing.assert_allclose(metrics.rmse(X + 3.0, X), 3.0)


def test_errors_are_a_norm_of_each_sample():
    xy, yz, xz = metrics.errors(X, Y), metrics.errors(Y, Z), metrics.errors(X, Z)
    np.testing.assert_allclose(metrics.errors(2 * X, 2 * Y), 2 * xy)
    assert np.all(xz <= xy + yz)
    assert not np.any(metrics.errors(X, X))
    changed = X.copy()
    changed[2] += 1.0
    np.testing.assert_array_equal(metrics.errors(changed, X) > 0, np.arange(5) == 2)


def test_errors_of_points_and_numbers():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(metrics.errors(x, 0 * x), [np.sqrt(12.5), 0.0])
    np.testing.assert_allclose(metrics.errors(x[:, 0], 0 * x[:, 0]), [3.0, 0.0])


def test_bfloat16_samples_are_compared_in_float32():
    x = jnp.ones((2, 64), jnp.bfloat16)
    assert metrics.errors(x, x).dtype == jnp.float32
    np.testing.assert_allclose(metrics.rmse(x, x * 0), 1.0)


def test_psnr_gains_20_db_per_decade():
    better, worse = X + 1e-3, X + 1e-2
    gain = metrics.psnr(better, X) - metrics.psnr(worse, X)
    np.testing.assert_allclose(gain, 20.0, rtol=1e-9)
    np.testing.assert_allclose(metrics.psnr(X + 0.02, X), 40.0)
    np.testing.assert_allclose(metrics.psnr(X + 0.01, X, data_range=1.0), 40.0)
    assert metrics.psnr(X, X) == np.inf


def test_different_shapes_are_refused():
    with pytest.raises((TypeError, ValueError)):
        metrics.errors(X, Y[:3])


def test_frechet_agrees_with_scipys_matrix_square_root():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    y = rng.normal(size=(70, 4)) @ rng.normal(size=(4, 4)) + 1.0
    c_x, c_y = np.cov(x.T), np.cov(y.T)
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(
        c_x + c_y - 2 * np.real(np.asarray(sqrtm(c_x @ c_y)))
    )
    np.testing.assert_allclose(metrics.frechet(x, y), expected, rtol=1e-10)
    np.testing.assert_allclose(metrics.frechet(y, x), expected, rtol=1e-10)


def test_frechet_of_moved_and_stretched_samples_is_exact():
    # y = m + k x: the distance is |mu_y - mu_x|^2 + (1 - k)^2 tr C, singular C or not.
    x = np.random.default_rng(1).normal(size=(40, 3))
    x = np.concatenate([x, x[:, :1] + x[:, 1:2]], axis=1)
    for k, m in ((1.0, 0.5), (3.0, 0.0), (0.2, -1.0)):
        y = k * x + m
        shift = np.sum((y.mean(0) - x.mean(0)) ** 2)
        expected = shift + (1 - k) ** 2 * np.trace(np.cov(x.T))
        np.testing.assert_allclose(metrics.frechet(x, y), expected, rtol=1e-7)


def test_frechet_refuses_other_shapes():
    with pytest.raises(ValueError, match="at least 2"):
        metrics.frechet(X.reshape(5, -1), np.zeros((1, X[0].size)))


def test_a_summary_is_numpys_and_its_interval_covers_the_mean():
    rng = np.random.default_rng(1)
    shift = np.abs(rng.standard_normal(400))
    y = 3 * rng.standard_normal((400, 6))
    found = metrics.summary(y + shift[:, None], y, key=jax.random.key(0))
    np.testing.assert_allclose(found.mean, shift.mean(), rtol=1e-9)
    np.testing.assert_allclose(found.median, np.median(shift), rtol=1e-9)
    np.testing.assert_allclose(found.p95, np.quantile(shift, 0.95), rtol=1e-9)
    # The interval is that of the mean's normal law, 1.96 standard errors each way.
    error = shift.std() / 20
    np.testing.assert_allclose(found.mean - found.low, 1.96 * error, rtol=0.15)
    np.testing.assert_allclose(found.high - found.mean, 1.96 * error, rtol=0.15)
    with pytest.raises(ValueError, match="level"):
        metrics.summary(y, y, key=jax.random.key(0), level=1.0)


def test_flips_are_errors_of_the_order_of_the_distance_between_samples():
    rng = np.random.default_rng(2)
    y = rng.standard_normal((200, 50))  # independent samples are sqrt(2) apart
    x = y + 0.01
    x[:30] += 1.0
    np.testing.assert_allclose(metrics.flip_rate(x, y), 30 / 200)
    np.testing.assert_allclose(metrics.flip_rate(y + 0.13, y), 0.0)
    np.testing.assert_allclose(metrics.flip_rate(y + 0.15, y), 1.0)
    with pytest.raises(ValueError, match="at least 2"):
        metrics.flip_rate(y[:1], y[:1])


def test_frechet_at_infinity_undoes_the_bias():
    rng = np.random.default_rng(3)
    y = rng.standard_normal((40_000, 8))
    x = rng.standard_normal((600, 8)) + 0.1
    biased = metrics.frechet(x, y)
    found = metrics.frechet_infinity(x, y, key=jax.random.key(0), repeats=20)
    assert found.sizes[0] == 150 and found.sizes[-1] == 600
    assert found.distances[-1] == pytest.approx(biased)
    # A line in 1 / n.
    assert np.corrcoef(1 / np.array(found.sizes), found.distances)[0, 1] > 0.97
    exact = 8 * 0.1**2
    assert abs(found.value - exact) < 0.5 * (biased - exact)
    with pytest.raises(ValueError, match="at least 72 vectors"):
        metrics.frechet_infinity(x[:50], y, key=jax.random.key(0))


@pytest.mark.slow
def test_sliced_wasserstein_of_shifted_and_scaled_sets():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((500, 16))
    shift = rng.standard_normal(16)
    distance = lambda x, y: metrics.sliced_wasserstein(
        x, y, key=jax.random.key(0), projections=4000
    )
    # Along w a shift is w.s, whose mean square is |s|^2 / d.
    np.testing.assert_allclose(
        distance(x, x + shift), np.linalg.norm(shift) / 4, rtol=0.03
    )
    # In one dimension it is W_2: between a set and its double, the RMS of the set.
    one = x[:, :1]
    np.testing.assert_allclose(distance(one, 2 * one), np.sqrt(np.mean(one**2)))
    np.testing.assert_allclose(distance(x, x[rng.permutation(500)]), 0, atol=1e-12)
    # Twice every vector is the same law.
    twice = distance(np.repeat(one, 2, axis=0), one)
    assert twice < 0.02


def test_energy_distance_is_scipys():
    from scipy.stats import energy_distance

    rng = np.random.default_rng(5)
    x, y = rng.standard_normal(300), 1.5 * rng.standard_normal(200) + 0.3
    np.testing.assert_allclose(
        metrics.energy_distance(x[:, None], y[:, None]), energy_distance(x, y)
    )
    z = rng.standard_normal((60, 4))
    np.testing.assert_allclose(metrics.energy_distance(z, z), 0, atol=1e-7)


def test_mmd_of_gaussians_is_the_closed_form():
    rng = np.random.default_rng(6)
    d, h, shift = 3, 1.3, 0.8
    x = rng.standard_normal((4000, d))
    y = rng.standard_normal((3000, d))
    y[:, 0] += shift
    # E k(X, Y) = (h^2 / (h^2 + 2))^(d/2) exp(-|mean|^2 / (2 (h^2 + 2)))
    factor = (h**2 / (h**2 + 2)) ** (d / 2)
    exact = 2 * factor * (1 - np.exp(-(shift**2) / 2 / (h**2 + 2)))
    np.testing.assert_allclose(metrics.mmd(x, y, bandwidth=h), exact, rtol=0.1)
    apart = [
        metrics.mmd(*np.split(rng.standard_normal((200, d)), 2), bandwidth=h)
        for _ in range(20)
    ]
    assert min(apart) < 0 < max(apart)  # unbiased around 0
    with pytest.raises((TypeError, ValueError)):
        metrics.mmd(x, y[:, :2])


@pytest.mark.parametrize("measure", ["energy_distance", "mmd", "sliced_wasserstein"])
def test_whole_numbers_are_measured_as_floats(measure):
    x, y = np.arange(8).reshape(4, 2), np.array([[1, 5], [2, 2], [9, 0]])
    key = {"key": jax.random.key(0)} if measure == "sliced_wasserstein" else {}
    f = getattr(metrics, measure)
    got, want = f(x, y, **key), f(np.float32(x), np.float32(y), **key)
    assert float(got) == pytest.approx(float(want), rel=1e-6)


def test_huge_whole_numbers_are_numbers():
    x, y = np.zeros((3, 2)), np.ones((3, 2))
    assert float(metrics.psnr(x, y, data_range=10**12)) == pytest.approx(240.0)
    assert float(metrics.mmd(x, y, bandwidth=10**12)) == pytest.approx(0.0, abs=1e-12)

"""Errors are a norm of the difference, per sample; PSNR counts in decibels."""

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
    with pytest.raises(ValueError, match="at least two"):
        metrics.frechet(X.reshape(5, -1), np.zeros((1, X[0].size)))

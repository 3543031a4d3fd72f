"""The certificate is an independent measurement, and it can fail."""

import warnings
from typing import ClassVar

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from reference_cases import END, MIXTURE, VP, exact_ends, noise_model, noises

import bespoke_jax as bj
from bespoke_jax.reference import adaptive
from bespoke_jax.reference.rounding import rounding

X0 = noises(16)


def _solve(field, x0=X0, **options):
    return bj.reference.solve(field, x0, dense=False, progress=False, **options)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("tol", [1e-5, 1e-6])
def test_it_measures_the_true_error(tol, dtype):
    """On the mixture at 1e-6 a float32 solve judged by itself claims 1e-12."""
    x0 = X0.astype(dtype)
    field = noise_model(VP, MIXTURE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        paths = _solve(field, x0, end=END, rtol=tol, atol=tol)
    off = np.asarray(paths.x1, np.float64) - exact_ends(VP, MIXTURE, x0)
    error = float(np.sqrt(np.mean(off[:8] ** 2, 1)).max())
    found = paths.certificate
    assert (found.method, found.dtype, found.resolved) == ("dopri5", "float64", True)
    assert error / 1.5 < found.endpoint < 1.5 * error


def _wrong_last_row():
    """Tsitouras' pair with a last row that is consistent and wrong."""
    good = diffrax.Tsit5.tableau
    b = np.array(good.b_sol)
    b[1], b[2] = b[1] + 4e-3, b[2] - 4e-3
    return diffrax.ButcherTableau(
        c=good.c, b_sol=b, b_error=good.b_error, a_lower=good.a_lower
    )


class _Wrong(diffrax.AbstractERK):
    tableau: ClassVar = _wrong_last_row()
    interpolation_cls: ClassVar = (
        diffrax.ThirdOrderHermitePolynomialInterpolation.from_k
    )

    def order(self, terms):
        return 5


@pytest.mark.slow
def test_a_wrong_method_is_found_out(monkeypatch):
    field = oracles.field(bj.schedules.CondOT(), oracles.GAUSSIAN)
    good = _solve(field)
    assert good.certificate.endpoint < 1e-4
    monkeypatch.setitem(adaptive.METHODS, "tsit5", _Wrong)
    with pytest.warns(UserWarning, match="times less accurate than its tolerance"):
        bad = _solve(field)
    exact = exact_ends(bj.schedules.CondOT(), oracles.GAUSSIAN, X0, 0.0, 1.0)
    error = np.sqrt(np.mean((np.asarray(bad.x1) - exact)[:8] ** 2, 1)).max()
    assert error > 3e-4
    assert error / 1.5 < bad.certificate.endpoint < 1.5 * error


@pytest.mark.slow
def test_a_kink_that_nobody_named_is_found_out():
    kinked = lambda t, x: 40 * jnp.sign(x - 0.1) * jnp.sign(t - 0.3)[:, None] - x
    with pytest.warns(UserWarning, match="less accurate|resolves"):
        _solve(kinked, rtol=1e-4, atol=1e-4, max_steps=100_000)


@pytest.mark.slow
def test_float32_at_1e_9_is_below_what_it_resolves():
    net = lambda t, x: -x.astype(jnp.float32) * (1 + t.astype(jnp.float32))[:, None]
    with pytest.warns(UserWarning, match="is below what float32 resolves"):
        paths = _solve(net, rtol=1e-9, atol=1e-9)
    found = paths.certificate
    assert found.dtype == "float32"  # the field computes in nothing better
    exact = np.asarray(X0, np.float64) * np.exp(-1.5)
    error = np.sqrt(np.mean((np.asarray(paths.x1) - exact) ** 2, 1)).max()
    # What is claimed is never better than what is true.
    assert found.endpoint >= error
    assert not found.resolved
    assert "below what the field resolves" in found.text


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_the_noise_of_a_field_is_that_of_its_dtype(dtype):
    def field(t, x):
        x = x.astype(dtype)
        return (-x * (1 + 0.5 * jnp.sin(3 * x))).astype(jnp.float32)

    eps = float(jnp.finfo(dtype).eps)
    x0 = noises(4, jnp.float32, 64)
    found = rounding(bj.fields.as_field(field), x0, None, 0.0, 1.0)
    assert eps / 10 < found.relative < eps
    assert found.low_precision == (dtype != jnp.float32)


def test_a_smooth_field_of_float64_has_no_other_noise():
    x0 = noises(4, jnp.float64)
    field = oracles.field(VP, MIXTURE)
    assert rounding(field, x0, None, 0.0, END).relative < 1e-12


@pytest.mark.slow
def test_a_bfloat16_field_is_told_what_means_something():
    field = lambda t, x: (-x.astype(jnp.bfloat16)).astype(jnp.float32)
    x0 = noises(8, jnp.float32, 16)
    with pytest.warns(UserWarning, match="least tolerance that means") as caught:
        _solve(field, x0)
    words = next(str(w.message) for w in caught if "least" in str(w.message))
    tolerance = float(words.split("rounding; ")[1].split()[0])
    assert 1e-4 < tolerance < 2e-2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cheap = _solve(field, x0, rtol=tolerance, atol=tolerance)
    assert cheap.stats.nfe_mean < 40


@pytest.mark.slow
def test_paths_with_a_certificate_go_through_compiled_code():
    paths = _solve(lambda t, x: -x)
    double = jax.jit(lambda p: p._replace(x1=2 * p.x1))(paths)
    assert double.certificate == paths.certificate
    assert double.control == bj.paths.Control(1e-5, 1e-5)

"""The shipped models: safe to load, small, and really models of digits."""

import io
import runpy
from importlib import resources
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bespoke_jax as bj
from bespoke_jax import demo
from bespoke_jax.demo import weights
from bespoke_jax.demo.unet import Conv3

DATA = Path(__file__).parents[2] / "experiments" / "digits" / "data.py"


@pytest.fixture(scope="module")
def digits():
    return runpy.run_path(str(DATA))["load"]()


def archive(name):
    return resources.files(demo) / f"{name}.npz"


@pytest.mark.parametrize("name", demo.NAMES)
def test_weights_are_small_float32_and_need_no_pickle(name):
    data = archive(name).read_bytes()
    assert len(data) <= 1.2e6
    params, record = weights.read(data)
    assert 2e5 <= sum(a.size for a in jax.tree.leaves(params)) <= 3e5
    assert {a.dtype for a in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    # The archive holds the tree that the shipped U-Net expects, no more and no less.
    images, t = jnp.zeros((1, *demo.SHAPE), jnp.float32), jnp.zeros(1, jnp.float32)
    expected = jax.eval_shape(demo.UNet().init, jax.random.key(0), images, t)
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, expected["params"])
    assert record["model"] == name
    assert record["evaluations"] == record["iterations"] * record["batch_size"]


def test_weights_round_trip_bitwise(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    written = weights.Weights({"a": {"b": {"kernel": kernel}}}, {"seed": 3})
    weights.write(tmp_path / "w.npz", written)
    params, record = weights.read((tmp_path / "w.npz").read_bytes())
    assert params["a"]["b"]["kernel"].tobytes() == kernel.tobytes()
    assert record == {"seed": 3}
    assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"a/kernel": np.zeros(2, np.float32)}, "record"),
        ({"record": np.array("{}"), "a/kernel": np.zeros(2)}, "a/kernel"),
        ({"record": np.array("{}"), "a/b": np.full(2, np.nan, np.float32)}, "a/b"),
        ({"record": np.array({"x": print}, dtype=object)}, "pickle"),
    ],
    ids=["no record", "float64", "not finite", "pickled"],
)
def test_damaged_weights_are_refused(arrays, message):
    file = io.BytesIO()
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match=message):
        weights.read(file.getvalue())


@pytest.mark.parametrize("name, near", [("fm-ot", "fm_ot"), ("vp", "eps_vp")])
def test_unknown_name_answers_with_the_nearest(name, near):
    with pytest.raises(ValueError, match=f"fm_ot, fm_cs, eps_vp.*{name}.*'{near}'"):
        demo.load(name)


def test_conv3_is_the_convolution():
    """One product over windows equals XLA's convolution with the same kernel."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 5, 3))
    kernel, bias = rng.normal(size=(3, 3, 3, 4)), rng.normal(size=4)
    dense = {"kernel": kernel.reshape(27, 4), "bias": bias}
    ours: Any = Conv3(4).apply({"params": {"Dense_0": dense}}, x)
    params = {"params": {"kernel": kernel, "bias": bias}}
    direct: Any = nn.Conv(4, (3, 3)).apply(params, x)
    np.testing.assert_allclose(ours, direct, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", demo.NAMES)
def test_denoises_better_than_the_best_linear_filter(name, digits):
    """At t = 0.7, on digits not trained on, against E[x_1 | x_t] of a Gaussian.

    The Gaussian has the mean m and covariance C of the data; its posterior mean
    m + C (C + nsr^2 I)^-1 (x_t / alpha - m) is the best any linear denoiser can do.
    """
    model = demo.load(name)
    assert model.schedule is not None
    x_1 = digits.validation
    t = jnp.full(len(x_1), 0.7, jnp.float32)
    alpha, sigma = (float(v) for v in model.schedule(0.7))
    x_0 = np.random.default_rng(0).normal(size=x_1.shape).astype(np.float32)
    x_t = (alpha * x_1 + sigma * x_0).astype(np.float32)
    predict = bj.fields.data_prediction(model.field, model.schedule)
    ours = np.mean((predict(t, jnp.asarray(x_t)) - x_1) ** 2)

    flat = digits.train.reshape(len(digits.train), -1)
    m, C = flat.mean(0), np.cov(flat.T)
    gain = C @ np.linalg.inv(C + (sigma / alpha) ** 2 * np.eye(len(m)))
    linear = m + (x_t.reshape(len(x_t), -1) / alpha - m) @ gain.T
    wiener = np.mean((linear - x_1.reshape(len(x_1), -1)) ** 2)
    assert ours < 0.85 * wiener


@pytest.mark.slow
@pytest.mark.parametrize("name", demo.NAMES)
def test_samples_have_the_statistics_of_digits(name, digits):
    """Mean and deviation of every pixel, and of the ink per image, near the data's."""
    model = demo.load(name)
    assert model.shape == digits.train.shape[1:]
    assert model.data_range == digits.train.max() - digits.train.min()
    x0 = jax.random.normal(jax.random.key(0), (256, *model.shape), jnp.float32)
    solver = bj.solvers.midpoint(steps=12, end=model.end)
    x1 = np.asarray(jax.jit(bj.sample)(model.field, solver, x0))
    # Averaged over pixels, 256 digits of the data set themselves are off by 0.03.
    for statistic, tolerance in ((np.mean, 0.05), (np.std, 0.05)):
        gap = statistic(x1, axis=0) - statistic(digits.train, axis=0)
        assert np.sqrt(np.mean(gap**2)) < tolerance
    ink = lambda x: x.mean((1, 2, 3))
    assert abs(ink(x1).std() - ink(digits.train).std()) < 0.03


@pytest.mark.slow
def test_a_network_with_classes_hears_the_label_and_asks_for_it():
    network = demo.UNet(fine=8, coarse=8, width=8, classes=3)
    x, t = jnp.ones((4, 4, 4, 1)), jnp.full(4, 0.5)
    labels = jnp.array([0, 0, 2, 3])
    variables = jax.jit(network.init)(jax.random.key(0), x, t, labels)
    # The last layer starts at zero: move it, so that there is something to hear.
    variables = jax.tree.map(lambda w: w + 0.1, variables)
    u = np.asarray(jax.jit(network.apply)(variables, x, t, labels))
    np.testing.assert_array_equal(u[0], u[1])
    assert np.abs(u[0] - u[2]).max() > 1e-4 and np.abs(u[2] - u[3]).max() > 1e-4
    with pytest.raises(ValueError, match="labels c in 0 .. 3"):
        network.apply(variables, x, t)

"""One checked call of a field: its contract, and what breaks it said in a sentence."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import bespoke_jax as bj
from bespoke_jax.core.batches import batches, rows
from bespoke_jax.core.calls import (
    FieldError,
    as_field,
    as_states,
    check_independent,
    evaluate,
)

X = jax.random.normal(jax.random.key(0), (8, 8))
EULER = bj.solvers.euler(steps=2)


@pytest.mark.slow
def test_every_time_is_one_number_per_sample():
    seen = []

    def field(t, x):
        seen.append(t.shape)
        return -x

    bj.sample(field, EULER, X)
    bj.reference.solve(field, X[:, :2], batch_size=8, progress=False)
    assert set(len(shape) for shape in seen) == {1}
    assert (8,) in seen


@pytest.mark.parametrize(
    ("returns", "says"),
    [
        (lambda x: x.mean(-1), r"shape of x, \(3, 3\).* got \(3,\)"),
        (lambda x: x.mean(-1, keepdims=True), r"got \(3, 1\)"),
        (lambda x: x[0], r"got \(3,\)"),
        (lambda x: x.sum(), r"got \(\)"),
        (lambda x: x + 1j, "complex"),
        (lambda x: x > 0, "bool"),
        (lambda x: jnp.ones(x.shape, int), "int"),
        (lambda x: {"sample": x, "aux": x}, "a dict with the keys sample, aux"),
        (lambda x: (x, x), "a tuple of 2 entries"),
        (lambda x: None, "got None"),
        (lambda x: 0.0, r"got \(\)"),
        (lambda x: x.nothing, "raised AttributeError"),
        (lambda x: x @ jnp.ones((5, 3)), "raised"),
    ],
)
def test_an_output_that_is_no_velocity_is_named(returns, says):
    x = jnp.ones((3, 3))
    with pytest.raises(ValueError, match=says):
        bj.sample(lambda t, x: returns(x), EULER, x)
    with pytest.raises(ValueError, match="must return|raised"):
        bj.reference.solve(lambda t, x: returns(x), x, progress=False)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_a_low_precision_velocity_serves_states_of_full_precision(dtype):
    x = jnp.ones((3, 2), jnp.float32)
    out = bj.sample(lambda t, x: -x.astype(dtype), EULER, x)
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, 0.25, rtol=1e-2)


@pytest.mark.slow
def test_an_equinox_module_is_a_field_everywhere():
    class Field(eqx.Module):
        mlp: eqx.nn.MLP

        def __call__(self, t, x):
            return jax.vmap(self.mlp)(jnp.concatenate([x, t[:, None]], axis=1))

    field = Field(eqx.nn.MLP(3, 2, 8, 1, key=jax.random.key(0)))
    x = X[:, :2]
    want = bj.sample(lambda t, x: field(t, x), EULER, x)
    np.testing.assert_allclose(bj.sample(field, EULER, x), want, rtol=1e-6)
    paths = bj.reference.solve(field, x, progress=False)
    assert np.isfinite(np.asarray(paths.x1)).all()
    # Its arrays are leaves: new weights run the compiled program.
    leaves = jax.tree.leaves(as_field(field))
    assert len(leaves) == 4 and all(isinstance(leaf, jax.Array) for leaf in leaves)
    other = Field(eqx.nn.MLP(3, 2, 8, 1, key=jax.random.key(1)))
    a, b = (jax.tree.structure(as_field(f)) for f in (field, other))
    assert a == b


COUPLED = {
    "mean of the batch": lambda t, x: x - x.mean(0, keepdims=True),
    "sorted": lambda t, x: jnp.sort(x, axis=0),
    "times along the wrong axis": lambda t, x: -3 * x * jnp.cos(3 * t)[None, :2],
    "a little": lambda t, x: x + 1e-3 * x.sum(0, keepdims=True),
}


@pytest.mark.parametrize("name", COUPLED)
def test_samples_that_notice_each_other_are_refused(name):
    x = X[:, :2]
    with pytest.raises(ValueError, match="not independent|raised"):
        check_independent(as_field(COUPLED[name]), x, None, 0.0, 1.0)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_rounding_is_no_coupling(dtype):
    w = jax.random.normal(jax.random.key(1), (64, 64), dtype) / 8
    field = as_field(lambda t, x: jnp.tanh(x.astype(dtype) @ w @ w))
    x = jax.random.normal(jax.random.key(2), (4, 64), jnp.float32)
    check_independent(field, x, None, 0.0, 1.0)
    check_independent(field, x[:1], None, 0.0, 1.0)


def test_numbers_of_the_samples_must_travel_in_c():
    weight = jnp.arange(8.0)
    with pytest.raises(ValueError, match="travel in c"):
        check_independent(
            as_field(lambda t, x: -x * weight[:, None]), X[:, :2], None, 0.0, 1.0
        )


@pytest.mark.parametrize(
    ("x0", "c", "says"),
    [
        ({"a": X}, None, "a dict with the keys a"),
        ((X, X[:, :2]), None, "a tuple of 2 entries"),
        (None, None, "got None"),
        (jnp.ones((2, 2), int), None, "floating-point"),
        (jnp.ones(()), None, "floating-point"),
        (jnp.ones((0, 2)), None, "batch >= 1"),
        (X, jnp.ones(3), "leading axis batch = 8"),
    ],
)
def test_states_of_another_form_are_refused_in_words(x0, c, says):
    with pytest.raises(ValueError, match=says):
        as_states(x0, c)


def test_an_error_is_told_once():
    inner = as_field(lambda t, x: x @ jnp.ones((5, 3)))
    outer = lambda t, x: evaluate(inner, t, x)
    with pytest.raises(FieldError) as info:
        evaluate(outer, 0.0, jnp.ones((3, 3)))
    assert str(info.value).count("the field raised") == 1


def test_batches_have_one_size_and_lose_nothing():
    x = np.arange(10.0)[:, None]
    seen = [(start, stop, part) for start, stop, part in batches(x, 4)]
    assert [part.shape for _, _, part in seen] == [(4, 1)] * 3
    joined = np.concatenate([part[: stop - start] for start, stop, part in seen])
    np.testing.assert_array_equal(joined, x)


def test_a_batch_stays_where_its_samples_are():
    mesh = Mesh(np.array(jax.devices()[:1]), ("data",))
    x = jax.device_put(X, NamedSharding(mesh, PartitionSpec("data")))
    assert rows(x, slice(0, 4)).shape == (4, 8)

"""Flax networks: signatures, weights without recompilation, low precision."""

import chex
import jax
import jax.numpy as jnp
import pytest
from field_cases import T, X, close
from flax import linen, nnx

from bespoke_jax import fields, schedules


class Small(linen.Module):
    """`(x, t, c) -> out` for any shape of x."""

    width: int = 8
    dtype: type | None = None  # that of the input

    @linen.compact
    def __call__(self, x, t, c=None):
        flat = x.reshape(x.shape[0], -1)
        features = [flat, t[:, None]] + ([] if c is None else [c[:, None]])
        h = linen.Dense(self.width, dtype=self.dtype)(jnp.concatenate(features, -1))
        h = linen.Dense(flat.shape[-1], dtype=self.dtype)(jnp.tanh(h))
        return h.reshape(x.shape)


class TimeFirst(linen.Module):
    classes: int = 3

    @linen.compact
    def __call__(self, t, x, labels, *, train):
        assert not train
        h = linen.Embed(self.classes, x.shape[-1])(labels)
        return linen.Dense(x.shape[-1])(x + h) * t[:, None]


class SmallNnx(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(3, 8, rngs=rngs)
        self.out = nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x, t):
        return self.out(jnp.tanh(self.hidden(jnp.concatenate([x, t[:, None]], -1))))


def small(seed, x=X, **options):
    module = Small(**options)
    return module, module.init(jax.random.key(seed), x, jnp.zeros(x.shape[0]))


def test_linen_orders_and_calls():
    module, variables = small(0)
    field = fields.from_flax(module, variables)
    close(field(T, X), module.apply(variables, X, T), atol=0)
    close(field(0.3, X), module.apply(variables, X, jnp.full(4, 0.3)), atol=0)
    module = TimeFirst()
    labels = jnp.array([0, 1, 2, 0])
    variables = module.init(jax.random.key(0), T, X, labels, train=False)
    call = lambda model, t, x, c: model(t, x, c["labels"], train=False)
    field = fields.from_flax(module, variables, call=call)
    expected = module.apply(variables, T, X, labels, train=False)
    close(field(T, X, {"labels": labels}), expected, atol=0)

    class Swapped(linen.Module):
        def __call__(self, t, x, c=0.0):
            return x * t[:, None] + c

    field = fields.from_flax(Swapped(), {}, order="tx")
    close(field(T, X), X * T[:, None], atol=0)
    close(field(T, X, X), X * T[:, None] + X, atol=0)


def pipeline(network, weight):
    schedule = schedules.VP(0.1, 20.0)
    field = fields.from_prediction(network, schedule, "v", time="1000t")
    field = fields.guide(field, network, weight)
    field = fields.threshold(field, schedule)
    field = fields.change_schedule(field, schedule, schedules.CondOT())
    return fields.scale_time(field, jnp.exp, jnp.square)


def linen_network(seed):
    module, variables = small(seed)
    return fields.from_flax(module, variables)


def nnx_network(seed):
    return fields.from_flax(SmallNnx(nnx.Rngs(seed)))


@pytest.mark.parametrize("make", [linen_network, nnx_network])
def test_new_weights_do_not_recompile(make):
    chex.clear_trace_counter()
    run = jax.jit(chex.assert_max_traces(lambda field, t, x: field(t, x), n=1))
    outs = [run(pipeline(make(seed), float(seed)), T, X) for seed in range(3)]
    assert all(
        jnp.abs(a - b).max() > 1e-3 for a, b in zip(outs, outs[1:], strict=False)
    )
    eager = pipeline(make(1), 1.0)
    close(outs[1], eager(T, X), atol=1e-10)
    # The reference solver takes one sample at a time, with a scalar time.
    one = lambda t, x: eager(t, x[None])[0]
    close(jax.jit(jax.vmap(one))(T, X), outs[1], atol=1e-10)
    loss = lambda field: field(T, X).sum()
    gradient = jax.jit(jax.grad(loss, allow_int=True))(eager)
    chex.assert_tree_all_finite(jax.tree.leaves(gradient))


def test_nnx_is_called_with_its_weights():
    module = SmallNnx(nnx.Rngs(0))
    close(fields.from_flax(module)(T, X), module(X, T), atol=1e-15)


def test_bfloat16_network_serves_float32_states():
    x = X.astype(jnp.float32)
    module, variables = small(0, x, dtype=jnp.bfloat16)
    field = fields.from_flax(module, variables)
    assert jnp.asarray(module.apply(variables, x, T)).dtype == jnp.bfloat16
    full = fields.from_flax(Small(), variables)
    for make in (
        lambda n: n,
        lambda n: fields.from_prediction(n, schedules.VP(0.1, 20.0), "noise"),
        lambda n: fields.threshold(n, schedules.CondOT()),
    ):
        got, expected = make(field)(T, x), make(full)(T, x)
        assert got.dtype == jnp.float32
        close(got, expected, atol=0.05 * float(1 + jnp.abs(expected).max()))


class Listed(linen.Module):
    widths: list[int]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fields.from_flax(Small()), "needs its variables"),
        (lambda: fields.from_flax(SmallNnx(nnx.Rngs(0)), {}), "variables=None"),
        (lambda: fields.from_flax(jnp.sin), "no from_flax"),
        (lambda: fields.from_flax(Small(), {}, order="xs"), "'xt'"),
        (lambda: fields.from_flax(Listed([1, 2]), {}), "tuples for lists"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""Flax networks: signatures, weights without recompilation, low precision."""

import chex
import jax
import jax.numpy as jnp
import pytest
from field_cases import T, X, close
from flax import linen, nnx
from marks import slowly

import bespoke_jax as bj
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


def test_integer_levels_reach_the_module_as_integers():
    class Embedded(linen.Module):
        @linen.compact
        def __call__(self, x, t):
            return x * linen.Embed(10, x.shape[-1])(t)

    schedule = schedules.DiscreteVP(jnp.linspace(0.99, 0.1, 10))
    level = jnp.array([9, 6, 4, 0])
    module = Embedded()
    variables = module.init(jax.random.key(0), X, level)
    network = fields.from_flax(module, variables)
    close(network(level, X), module.apply(variables, X, level), atol=0)
    field = fields.from_prediction(network, schedule, "velocity", time="level")
    t = 1 - (level + 1) / 10
    close(field(t, X), module.apply(variables, X, level), atol=0)
    jitted = jax.jit(lambda field, t: field(t, X))
    close(jitted(field, t), field(t, X), atol=1e-15)


def pipeline(network, weight):
    schedule = schedules.VP(0.1, 20.0)
    field = fields.from_prediction(network, schedule, "v", time="1000t")
    field = fields.guide(field, network, weight)
    field = fields.threshold(field, schedule)
    field = fields.change_schedule(field, schedule, schedules.CondOT())
    field = fields.reverse(fields.scale_time(field, jnp.exp, jnp.square))
    return fields.switch(field, field, 0.5)


def linen_network(seed):
    module, variables = small(seed)
    return fields.from_flax(module, variables)


def nnx_network(seed):
    return fields.from_flax(SmallNnx(nnx.Rngs(seed)))


@pytest.mark.parametrize("make", [slowly(linen_network), nnx_network])
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


@pytest.mark.slow
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


class Counting(nnx.Module):
    """Writes to its variables in evaluation mode: a count, a cache, a sown value."""

    def __init__(self, rngs):
        self.linear = nnx.Linear(2, 2, rngs=rngs)
        self.norm = nnx.BatchNorm(2, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.calls = nnx.Variable(jnp.zeros((), int))
        self.cache = nnx.data(None)

    def __call__(self, x, t):
        self.calls[...] += 1
        self.cache = nnx.Variable(x)
        return self.drop(self.norm(self.linear(x))) * self.calls[...]


def counting():
    module = Counting(nnx.Rngs(0))
    module.eval()
    return module


@pytest.mark.slow
def test_nnx_modules_may_write_to_their_variables():
    module = counting()
    field = fields.from_flax(module)
    # What is written is dropped: every call is the first one.
    plain = lambda t, x: module.linear(x) / jnp.sqrt(1 + module.norm.epsilon)
    solver = bj.solvers.heun(steps=2)
    want = bj.sample(plain, solver, X)
    close(field(T, X), plain(T, X), atol=1e-14)
    close(bj.sample(field, solver, X), want, atol=1e-12)
    close(jax.jit(bj.sample)(field, solver, X), want, atol=1e-12)
    stack = jax.vmap(lambda x: bj.sample(field, solver, x))(jnp.stack([X, 2 * X]))
    close(stack[0], want, atol=1e-12)
    for checkpoint in (False, True):
        loss = lambda field, x: bj.sample(
            field,
            solver,
            x,
            checkpoint=checkpoint,  # noqa: B023
        ).sum()
        slope = jax.grad(loss, argnums=1)(field, X)
        close(slope, jax.grad(loss, argnums=1)(plain, X), atol=1e-12)
    solve = lambda field: bj.reference.solve(field, X, progress=False)
    close(jnp.asarray(solve(field).x1), jnp.asarray(solve(plain).x1), atol=1e-9)
    assert module.calls[...] == 0 and module.cache is None


def test_a_field_does_not_follow_later_changes_of_the_nnx_module():
    module = SmallNnx(nnx.Rngs(0))
    field = fields.from_flax(module)
    before = field(T, X)
    module.out.kernel[...] = jnp.zeros_like(module.out.kernel[...])
    close(field(T, X), before, atol=0)


class Stack(nnx.Module):
    def __init__(self, layer):
        self.blocks = nnx.List([nnx.Linear(2, 2, rngs=nnx.Rngs(0)), layer])


@pytest.mark.parametrize(
    "layer, name",
    [
        (nnx.Dropout(0.5, rngs=nnx.Rngs(0)), "Dropout"),
        (nnx.BatchNorm(2, rngs=nnx.Rngs(0)), "BatchNorm"),
    ],
)
def test_nnx_layers_in_training_mode_are_named(layer, name):
    module = Stack(layer)
    says = rf"model\.blocks\.1 \({name}\).*call model\.eval\(\)"
    with pytest.raises(ValueError, match=says):
        fields.from_flax(module)
    module.eval()
    fields.from_flax(module)


class Impure(linen.Module):
    kind: str

    @linen.compact
    def __call__(self, x, t):
        if self.kind == "dropout":
            return linen.Dropout(0.5, deterministic=False)(x)
        if self.kind == "norm":
            return linen.BatchNorm(use_running_average=False)(x)
        if self.kind == "rng":
            return x + jax.random.normal(self.make_rng("noise"), x.shape)
        if self.kind == "counter":
            count = self.variable("counter", "n", lambda: jnp.zeros(()))
            count.value = count.value + 1
            return x
        return {"pair": (x, t), "dict": {"velocity": x, "aux": t}}[self.kind]


@pytest.mark.parametrize(
    "kind, says",
    [
        ("dropout", 'Impure draws random numbers .*"dropout".*deterministic=True'),
        ("rng", 'draws random numbers .*"noise"'),
        ("norm", 'Impure updates a variable .*"mean".*train=False'),
        ("counter", 'updates a variable .*"n"'),
        ("pair", r"Impure returns a tuple with the entries 0, 1.*model\(x, t\)\[0\]"),
        ("dict", r"a dict with the entries velocity, aux.*\[.velocity.\]"),
    ],
)
def test_linen_modules_with_side_effects_are_explained(kind, says):
    keys = {name: jax.random.key(0) for name in ("params", "dropout", "noise")}
    module = Impure(kind)
    field = fields.from_flax(module, module.init(keys, X, T))
    for call in (
        lambda: field(T, X),
        lambda: bj.sample(field, bj.solvers.euler(steps=2), X),
    ):
        with pytest.raises(ValueError, match=says):
            call()
    if kind in ("pair", "dict"):
        key = 0 if kind == "pair" else "velocity"
        field = fields.from_flax(module, {}, call=lambda m, t, x, c: m(x, t)[key])
        close(field(T, X), X, atol=0)


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

"""Vector fields of diffrax: the same solution as diffrax gives."""

import chex
import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from field_cases import T, X, close

import bespoke_jax as bj
from bespoke_jax import fields


class Network(eqx.Module):
    mlp: eqx.nn.MLP

    def __call__(self, t, y, args):
        return args["scale"] * self.mlp(jnp.append(y, t))


def network(seed):
    return Network(eqx.nn.MLP(3, 2, 8, 1, jnp.tanh, key=jax.random.key(seed)))


def solve(vf, args, y):
    ys = diffrax.diffeqsolve(
        diffrax.ODETerm(vf),
        diffrax.Tsit5(),
        0.0,
        1.0,
        None,
        y,
        args=args,
        stepsize_controller=diffrax.PIDController(1e-9, 1e-9),
    ).ys
    assert ys is not None
    return ys[0]


@pytest.mark.slow
def test_the_solution_is_that_of_diffrax():
    vf, args = network(0), {"scale": jnp.asarray(1.5)}
    want = jnp.stack([solve(vf, args, y) for y in X])
    field = fields.from_diffrax(vf, args)
    close(bj.sample(field, bj.solvers.rk4(steps=40), X), want, atol=1e-6)
    paths = bj.reference.solve(field, X, rtol=1e-8, atol=1e-8, progress=False)
    close(jnp.asarray(paths.x1), want, atol=1e-6)


def test_c_takes_the_place_of_args_sample_by_sample():
    vf, c = network(0), {"scale": jnp.array([0.5, 1.0, 2.0, -1.0])}
    field = fields.from_diffrax(vf, {"scale": 9.0})
    want = jnp.stack(
        [vf(t, y, {"scale": s}) for t, y, s in zip(T, X, c["scale"], strict=True)]
    )
    close(field(T, X, c), want, atol=1e-14)
    close(field(T, X)[0], vf(T[0], X[0], {"scale": 9.0}), atol=1e-13)


def test_args_may_hold_functions_and_modules():
    vf = lambda t, y, args: args["act"](args["net"](y)) - t
    args = {"act": jnp.tanh, "net": eqx.nn.Linear(2, 2, key=jax.random.key(0))}
    field = fields.from_diffrax(vf, args)
    want = jnp.stack([vf(t, y, args) for t, y in zip(T, X, strict=True)])
    close(jax.jit(lambda f: f(T, X))(field), want, atol=1e-14)


def test_new_weights_do_not_recompile():
    chex.clear_trace_counter()
    run = jax.jit(chex.assert_max_traces(lambda field: field(T, X), n=1))
    for seed in range(3):
        run(fields.from_diffrax(network(seed), {"scale": jnp.asarray(1.0 + seed)}))


def test_a_term_is_not_the_function():
    with pytest.raises(ValueError, match="the function of diffrax.ODETerm"):
        fields.from_diffrax(diffrax.ODETerm(network(0)))

"""Two fields switched at a time: each on its side, and only that one is run."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from field_cases import X, close
from jax.tree_util import Partial

import bespoke_jax as bj
from bespoke_jax import fields

EARLY, LATE = lambda t, x: jnp.sin(x), lambda t, x: jnp.cos(x)


def test_every_sample_takes_the_field_of_its_time():
    field = fields.switch(EARLY, LATE, 0.3)
    t = jnp.array([0.0, 0.2999, 0.3, 0.9])
    want = jnp.concatenate([EARLY(t, X)[:2], LATE(t, X)[2:]])
    close(field(t, X), want, atol=0)
    one = lambda t, x: field(t, x[None])[0]
    close(jax.vmap(one)(t, X), want, atol=0)
    close(jax.jit(field)(t, X), want, atol=1e-15)
    slope = jax.jvp(lambda x: field(t, x), (X,), (jnp.ones_like(X),))[1]
    close(slope[0], jnp.cos(X[0]), atol=1e-12)
    close(slope[3], -jnp.sin(X[3]), atol=1e-12)


def counting(calls, name, f):
    def field(t, x):
        jax.debug.callback(lambda: calls.append(name))
        return f(t, x)

    return field


def test_a_solve_runs_one_network_per_evaluation():
    calls = []
    field = fields.switch(
        counting(calls, "early", EARLY), counting(calls, "late", LATE), 0.5
    )
    solver = bj.solvers.euler(steps=8)
    out = bj.sample(field, solver, X)
    jax.effects_barrier()
    assert calls == ["early"] * 4 + ["late"] * 4
    by_hand = X
    for i in range(8):
        by_hand = by_hand + (EARLY if i < 4 else LATE)(i / 8, by_hand) / 8
    close(out, by_hand, atol=1e-13)
    calls.clear()
    field(jnp.array([0.2, 0.7, 0.2, 0.7]), X)
    jax.effects_barrier()
    assert sorted(calls) == ["early", "late"]


def test_new_weights_do_not_recompile():
    chex.clear_trace_counter()
    run = jax.jit(chex.assert_max_traces(lambda field: field(0.2, X), n=1))
    scaled = lambda w: Partial(scale, jnp.asarray(w))
    outs = [run(fields.switch(scaled(w), scaled(-w), 0.5)) for w in (1.0, 2.0)]
    np.testing.assert_allclose(outs[1], 2 * X)


def scale(w, t, x):
    return w * x


@pytest.mark.parametrize("boundary", [0.0, 1.0, -0.5])
def test_refused(boundary):
    with pytest.raises(ValueError, match=r"boundary must be a number in \(0, 1\)"):
        fields.switch(EARLY, LATE, boundary)

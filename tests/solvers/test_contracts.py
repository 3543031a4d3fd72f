"""What must hold for every entry of `solvers.TABLE` and every learned family."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import quick_are

import bespoke_jax as bj
from bespoke_jax.families import scale_time
from bespoke_jax.solvers import TABLE, construct

SCHEDULE, END, NFE = bj.schedules.VP(), 1 - 1e-3, 12
FAMILIES = {base: scale_time(2, base=base, end=END) for base in bj.solvers.TABLEAUX}


def wave(t, x, c=None):
    return jnp.sin(1.3 * x + jnp.reshape(t, (-1, 1))) - 0.2 * x


def solver_of(name: str) -> bj.Solver:
    if name in TABLE:
        return construct(name, NFE, schedule=SCHEDULE, end=END)
    family = FAMILIES[name.removeprefix("scale_time ")]
    return family.build(family.init())


SOLVERS = [*TABLE, *(f"scale_time {base}" for base in FAMILIES)]
X0 = jax.random.normal(jax.random.key(0), (3, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVERS)
def test_jit_eager_vmap_and_gradient(name):
    solver = bj.validate(solver_of(name))
    want = bj.sample(wave, solver, X0)
    assert want.shape == X0.shape and want.dtype == X0.dtype
    with jax.disable_jit():
        eager = bj.sample(wave, solver, X0)
    chex.assert_trees_all_close(eager, want, atol=1e-10)
    stack = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), solver)
    got = jax.vmap(lambda s: bj.sample(wave, s, X0))(stack)
    chex.assert_trees_all_close(got, jnp.stack([want, want]), atol=1e-10)
    numbers = jax.tree.map(jnp.asarray, solver)
    gradient = jax.grad(lambda s: jnp.sum(bj.sample(wave, s, X0)))(numbers)
    chex.assert_tree_all_finite(gradient)


@pytest.mark.parametrize("name", TABLE)
def test_nfe_is_what_was_paid_for(name):
    entry, solver = TABLE[name], solver_of(name)
    assert NFE - entry.stages < solver.nfe <= NFE
    calls = []

    def counted(t, x, c=None):
        jax.debug.callback(lambda: calls.append(None))
        return wave(t, x)

    bj.sample(counted, solver, X0).block_until_ready()
    jax.effects_barrier()
    assert len(calls) == solver.nfe


@pytest.mark.parametrize("name", TABLE)
def test_same_arguments_same_table_and_float64_on_the_host(name):
    one, two = solver_of(name), solver_of(name)
    for a, b in zip(one, two, strict=True):
        assert isinstance(a, np.ndarray | np.float64) and a.dtype == np.float64
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", quick_are(("euler", "midpoint"), FAMILIES))
def test_families_are_pure_and_their_steps_agree(name):
    family = FAMILIES[name]
    theta = family.init()
    chex.assert_trees_all_equal(family.build(theta), jax.jit(family.build)(theta))
    steps = family.steps(theta)
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), steps.rows.q)
    chex.assert_trees_all_equal(flat, family.build(theta).q)
    assert float(steps.times[0]) == 0 and float(steps.times[-1]) == END

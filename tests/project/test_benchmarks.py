"""What must not get slower or larger: ratios taken in one run, never seconds.

The figures themselves are those of `experiments/benchmarks`, whose functions these
tests call on a small network. Bounds are wide: they are meant for a busy machine, and
for what a mistake costs (an evaluation more, a loop unrolled, activations kept).
"""

from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

import bespoke_jax as bj
from experiments.benchmarks import __main__ as command
from experiments.benchmarks import dit, programs, timing
from experiments.benchmarks.compiling import measure as compiling
from experiments.benchmarks.fitting import page as fitting
from experiments.benchmarks.overhead.measure import overhead

FOLDER = Path(command.__file__).parent
STATE, BATCH = 8, 256


def perceptron(weights, t, x):
    first, *inner, last = weights
    h = x @ first
    for w in inner:
        h = jnp.tanh(h @ w + jnp.reshape(t, (-1, 1)))
    return h @ last


def small_model(width=512, depth=2) -> bj.Model:
    """States of few numbers, so that the network is what a call costs."""
    sizes = [STATE, *[width] * (depth + 1), STATE]
    weights = [
        jax.random.normal(jax.random.key(i), shape, jnp.float32) * shape[0] ** -0.5
        for i, shape in enumerate(pairwise(sizes))
    ]
    schedule = bj.schedules.CondOT()
    return bj.Model(Partial(perceptron, weights), (STATE,), schedule=schedule)


def noise(model, batch=BATCH):
    return bj.model.noise(model, jax.random.key(1), batch)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["midpoint", "dense"])
def test_a_solve_costs_little_more_than_its_calls(name):
    model = small_model()
    solver, x0 = programs.construct(model, name, 8), noise(model)
    # A machine that is taken away for a moment is no fault: the best of three.
    attempts = (
        overhead(model.field, solver, x0, rounds=9)["over_calls"][1] for _ in range(3)
    )
    assert any(median <= 1.35 for median in attempts)


@pytest.mark.slow
@pytest.mark.parametrize("kind", programs.PROGRAMS)
def test_the_network_is_traced_once_at_any_nfe(kind):
    model = small_model(width=4)
    for nfe in (4, 16):
        solver = programs.construct(model, "midpoint", nfe)
        program, x0 = programs.PROGRAMS[kind], noise(model, 2)
        assert compiling.traces(program, model.field, solver, x0) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["solve", "gradient, recomputing"])
def test_compile_time_does_not_grow_with_nfe(kind):
    model = small_model(width=16, depth=4)
    x0, spent = noise(model, 4), {4: [], 64: []}
    with timing.without_cache():
        for _ in range(3):
            for nfe, column in spent.items():
                solver = programs.construct(model, "midpoint", nfe)
                made = programs.compiled(
                    programs.PROGRAMS[kind], model.field, solver, x0
                )
                column.append(made.trace + made.compile)
    assert min(spent[64]) <= 2 * min(spent[4])  # unrolled: about ten times


@pytest.mark.slow
@pytest.mark.parametrize("name", ["midpoint", "unipc"])
def test_recomputing_keeps_the_memory_of_a_gradient_flat(name):
    model = small_model(depth=4)
    x0 = noise(model)

    def growth(kind):
        solvers = (programs.construct(model, name, nfe) for nfe in (4, 32))
        few, many = (
            programs.compiled(programs.PROGRAMS[kind], model.field, solver, x0)
            for solver in solvers
        )
        return timing.peak(many.program) / timing.peak(few.program)

    # Both keep states, of which there are eight times as many; one keeps more.
    assert growth("gradient, recomputing") <= 2
    assert growth("gradient, keeping activations") >= 5


def test_the_persistent_cache_is_only_out_of_use_inside():
    option = "jax_enable_compilation_cache"
    used = lambda: getattr(jax.config, option)
    before = used()
    with timing.without_cache():
        assert not used()
    assert used() == before


def test_works_are_timed_in_turn_and_each_as_often():
    order = []
    works = {name: lambda name=name: order.append(name) for name in "ab"}
    spent = timing.in_turn(works, 2, warm=False, disable=True)
    assert order == ["a", "b", "b", "a"]
    assert all(column.shape == (2,) for column in spent.values())


@pytest.mark.slow
def test_the_transformer_is_as_large_as_said_and_not_trivial():
    def parameters(depth):
        network, x = dit.DiT(depth=depth), jnp.zeros((1, 32, 32, 4))
        shapes = jax.eval_shape(network.init, jax.random.key(0), x, jnp.zeros(1))
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    few, block = parameters(0), parameters(1) - parameters(0)
    assert 28e6 <= few + dit.DiT().depth * block <= 34e6
    model = dit.model(dit.DiT(depth=1, width=32, heads=2), side=4)
    x = jax.random.normal(jax.random.key(1), (2, *model.shape))
    call = jax.jit(lambda field, t, x: field(t, x))
    early, late = (call(model.field, t, x) for t in (0.1, 0.9))
    assert early.shape == x.shape
    assert float(jnp.std(early)) > 0.1 and float(jnp.std(early - late)) > 1e-3


def test_one_command_knows_every_benchmark():
    found = {path.parent.name for path in FOLDER.glob("*/measure.py")}
    assert found == set(command.BENCHMARKS)


def test_what_needs_absent_programs_is_left_out_and_said_to_be(monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    command.main(command.Config(only=("peers", "ground_truth")))
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["peers", "ground_truth"]
    assert all("left out" in line and "torch" in line for line in said)
    with pytest.raises(SystemExit, match="no such benchmark"):
        command.main(command.Config(only=("peer",)))


def test_a_cost_curve_knows_nothing_before_its_first_iterate():
    row = {"curve": {"seconds": [1.0, 2.0], "rmse": [0.3, 0.2]}}
    got = [fitting.at(row, "seconds", budget) for budget in (0.5, 1.5, 9.0)]
    assert got == [np.inf, 0.3, 0.2]

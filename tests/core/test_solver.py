"""(S) itself: the scan against a plain loop, canonical forms, tracing, transforms."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.tree_util import Partial

import bespoke_jax as bj
from bespoke_jax.core.solver import Solver, check_form


def wave(w, t, x, c=None):
    """A nonlinear field on any shape, with weights w."""
    shift = 0.0 if c is None else c.reshape(-1, *(1,) * (x.ndim - 1))
    t = jnp.reshape(jnp.asarray(t, x.dtype), (-1,) + (1,) * (x.ndim - 1))
    return jnp.sin(w * x + t) + shift


FIELD = Partial(wave, jnp.asarray(1.3))


def random_solver(seed, n, wx, wu, scale=0.5) -> Solver:
    rng = np.random.default_rng(seed)
    draw = lambda *shape: scale * rng.standard_normal(shape)
    reach = lambda w: np.tril(np.ones((n, w)))
    return Solver(
        np.sort(rng.uniform(0, 1, n)),
        draw(n),
        draw(n, wx) * reach(wx),
        draw(n, wu) * reach(wu),
        np.float64(1.0),
    )


def plain_loop(field, solver, x0, c=None):
    """Equation (S), literally."""
    xs, us = [x0], []
    for i in range(solver.nfe):
        us.append(field(solver.t[i], xs[i], c))
        new = solver.a[i] * x0
        for k in range(min(i + 1, solver.p.shape[1])):
            new = new + solver.p[i, k] * xs[i - k]
        for k in range(min(i + 1, solver.q.shape[1])):
            new = new + solver.q[i, k] * us[i - k]
        xs.append(new)
    return jnp.stack(xs)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.integers(1, 7), st.integers(0, 8), st.integers(1, 8), st.integers(0, 99))
def test_scan_equals_plain_loop(n, wx, wu, seed):
    solver = random_solver(seed, n, wx, wu)
    x0 = jax.random.normal(jax.random.key(seed), (3, 2))
    want = plain_loop(FIELD, solver, x0)
    chex.assert_trees_all_close(bj.trajectory(FIELD, solver, x0), want, atol=1e-12)
    chex.assert_trees_all_close(bj.sample(FIELD, solver, x0), want[-1], atol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 2, 1)])
def test_any_sample_shape_with_conditioning(shape):
    solver = random_solver(1, 4, 2, 3)
    x0, c = jax.random.normal(jax.random.key(0), shape), jnp.arange(3.0)
    want = plain_loop(FIELD, solver, x0, c)[-1]
    chex.assert_trees_all_close(bj.sample(FIELD, solver, x0, c=c), want, atol=1e-12)


@pytest.mark.parametrize(("wx", "wu"), [(0, 5), (1, 1), (2, 3), (5, 2)])
def test_canonical_form_is_the_same_map(wx, wu):
    solver = random_solver(2, 5, wx, wu)
    a, b = bj.canonical(solver)
    assert np.allclose(b, np.tril(b))
    latest_first = np.array([np.pad(b[i, i::-1], (0, 4 - i)) for i in range(5)])
    dense = Solver(solver.t, a, np.zeros((5, 0)), latest_first, solver.end)
    x0 = jax.random.normal(jax.random.key(0), (4, 2))
    got, want = (bj.sample(FIELD, s, x0) for s in (dense, solver))
    chex.assert_trees_all_close(got, want, atol=1e-12)
    again = bj.canonical(dense)
    chex.assert_trees_all_close(again, (a, b), atol=1e-15)


def test_trace_finds_the_windows_of_a_two_step_method():
    times = np.linspace(0, 1, 6)

    def adams_bashforth_2(u, x):
        last = None
        for t, s in zip(times[:-1], times[1:], strict=True):
            new = u(t, x)
            slope = new if last is None else 1.5 * new - 0.5 * last
            x, last = x + (s - t) * slope, new
        return x

    solver = bj.trace(adams_bashforth_2, end=1.0)
    assert (solver.nfe, solver.p.shape[1], solver.q.shape[1]) == (5, 1, 2)
    np.testing.assert_allclose(solver.q[1:], [[0.3, -0.1]] * 4)
    np.testing.assert_allclose(solver.p[:, 0], 1.0)
    x0 = jax.random.normal(jax.random.key(0), (4, 2))
    x, last = x0, None
    for t in times[:-1]:
        new = FIELD(t, x)
        x = x + 0.2 * (new if last is None else 1.5 * new - 0.5 * last)
        last = new
    chex.assert_trees_all_close(bj.sample(FIELD, solver, x0), x, atol=1e-12)


def test_trace_sees_through_a_rescaled_iterate():
    alphas = np.array([0.1, 0.4, 0.7, 0.9, 1.0])

    def euler_in_y(u, x):
        y = x / alphas[0]
        for i, t in enumerate(np.linspace(0, 0.75, 4)):
            v = u(t, alphas[i] * y)
            y = y + (alphas[i + 1] - alphas[i]) * v
        return alphas[-1] * y

    solver = bj.trace(euler_in_y, end=1.0)
    assert (solver.p.shape, solver.q.shape) == ((4, 1), (4, 1))
    np.testing.assert_allclose(solver.p[:, 0], alphas[1:] / alphas[:-1])
    np.testing.assert_allclose(solver.q[:, 0], alphas[1:] * np.diff(alphas))


def test_trace_keeps_x0_outside_the_window():
    def anchored(u, x):
        start = x
        for t in (0.0, 0.25, 0.5, 0.75):
            x = 0.5 * x + 0.5 * start + 0.1 * u(t, x)
        return x

    solver = bj.trace(anchored, end=1.0)
    assert solver.p.shape[1] == 1
    # Row 0 sees x_0 as its latest state, later rows through `a`.
    np.testing.assert_allclose(solver.a, [0.0, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(solver.p[:, 0], [1.0, 0.5, 0.5, 0.5])


def test_trace_refuses_what_has_no_row():
    with pytest.raises(ValueError, match="never evaluated"):
        bj.trace(lambda u, x: x, end=1.0)
    with pytest.raises(ValueError, match="initial state"):
        bj.trace(lambda u, x: u(0.0, 2.0 * x), end=1.0)
    with pytest.raises(ValueError, match="linear"):
        bj.trace(lambda u, x: x * u(0.0, x), end=1.0)
    with pytest.raises(ValueError, match="must lie in"):
        bj.trace(lambda u, x: x + u(0.7, x), end=0.5)


def test_new_coefficients_and_weights_do_not_retrace():
    traces = []

    def counted(w, t, x):
        traces.append(None)
        return wave(w, t, x)

    x0 = jnp.ones((2, 3))
    weighted = lambda w: Partial(counted, jnp.asarray(w))
    for seed in range(3):
        bj.sample(weighted(1.0 + seed), random_solver(seed, 6, 2, 2), x0)
    assert len(traces) == 1
    bj.sample(weighted(1.0), random_solver(0, 7, 2, 2), x0)
    assert len(traces) == 2

    @jax.jit
    @chex.assert_max_traces(n=1)
    def solve(field, solver, x0):
        return bj.sample(field, solver, x0)

    for seed in range(3):
        field = Partial(wave, jnp.asarray(1.0 + seed))
        solve(field, random_solver(seed, 6, 2, 2), x0)


def test_program_size_does_not_grow_with_nfe():
    def equations(n):
        solver = bj.solvers.rk4(steps=n // 4)
        program = jax.make_jaxpr(lambda s, x: bj.sample(FIELD, s, x))(
            solver, jnp.ones((2, 3))
        )
        return str(program).count(" = ")

    assert equations(64) == equations(8)


def test_vmap_over_a_stack_equals_a_loop():
    solvers = [random_solver(seed, 5, 2, 3) for seed in range(4)]
    stack = jax.tree.map(lambda *leaves: np.stack(leaves), *solvers)
    x0 = jax.random.normal(jax.random.key(0), (3, 2))
    got = jax.vmap(lambda s: bj.sample(FIELD, s, x0))(stack)
    want = jnp.stack([bj.sample(FIELD, s, x0) for s in solvers])
    chex.assert_trees_all_close(got, want, atol=1e-12)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_gradients_are_exact(checkpoint):
    solver = jax.tree.map(jnp.asarray, random_solver(3, 4, 2, 3))
    x0 = jax.random.normal(jax.random.key(0), (2, 2))

    def loss(x0, w, *leaves):
        field, solver = Partial(wave, w), Solver(*leaves)
        return jnp.sum(bj.sample(field, solver, x0, checkpoint=checkpoint) ** 2)

    arguments = (x0, jnp.asarray(1.3), *solver)
    chex.assert_numerical_grads(
        loss, arguments, order=1, modes=["rev"], atol=1e-6, rtol=1e-6
    )


def test_forward_mode_agrees_with_reverse_mode():
    solver = jax.tree.map(jnp.asarray, random_solver(3, 4, 2, 3))
    x0 = jax.random.normal(jax.random.key(0), (2, 2))
    loss = lambda solver: jnp.sum(bj.sample(FIELD, solver, x0) ** 2)
    rows = [jax.grad(loss)(solver), jax.jacfwd(loss)(solver)]
    chex.assert_trees_all_close(*rows, atol=1e-10)


def test_checkpoint_keeps_one_evaluation_in_memory():
    def deep(w, t, x):
        for _ in range(6):
            x = jnp.tanh(x @ w)
        return x

    w, x0 = jnp.eye(64), jnp.ones((512, 64))

    def peak(n, checkpoint):
        def loss(solver, w):
            x = bj.sample(Partial(deep, w), solver, x0, checkpoint=checkpoint)
            return jnp.sum(x)

        solver = bj.solvers.euler(steps=n)
        compiled = jax.jit(jax.grad(loss)).lower(solver, w).compile()
        analysis = compiled.memory_analysis()
        assert analysis is not None
        return analysis.temp_size_in_bytes

    state = x0.size * x0.dtype.itemsize
    # From 4 to 32 steps: 28 more stored states with checkpoint, and without it the
    # six activations of each evaluation on top.
    assert peak(32, True) - peak(4, True) <= 2.5 * 28 * state
    assert peak(32, False) - peak(4, False) >= 6 * 28 * state


def test_states_and_coefficients_stay_float32_in_a_bfloat16_network():
    seen = []

    def half(t, x):
        seen.append(x.dtype)
        return wave(1.3, t, x).astype(jnp.bfloat16)

    x0 = jnp.ones((2, 3), jnp.bfloat16)
    out = bj.sample(half, bj.solvers.heun(steps=3), x0)
    assert out.dtype == jnp.float32 and seen[0] == jnp.float32


PREVIEWS = [
    bj.schedules.CondOT(),
    bj.schedules.Cosine(),
    bj.schedules.VP(),
    bj.schedules.EDM(),
]


@pytest.mark.parametrize("schedule", PREVIEWS, ids=lambda s: type(s).__name__)
def test_previews_are_the_data_predictions_of_each_evaluation(schedule):
    field = oracles.field(schedule, oracles.random_mixture(0))
    solver = bj.solvers.heun(steps=4, end=1 - 1e-3)
    x0 = schedule(0.0)[1] * jax.random.normal(jax.random.key(0), (5, 2))
    states, previews = bj.trajectory(field, solver, x0, predictions=schedule)
    chex.assert_trees_all_close(states, bj.trajectory(field, solver, x0), atol=1e-9)
    assert previews.shape == (solver.nfe, 5, 2)
    for t, x, x_1 in zip(solver.t, states, previews, strict=False):
        t = jnp.full(5, t)
        alpha, sigma = schedule(t)
        want, _ = oracles.posterior_means(oracles.random_mixture(0), x, alpha, sigma)
        chex.assert_trees_all_close(x_1, want, atol=1e-6)


def test_previews_cost_no_evaluations():
    calls = []

    def field(t, x):
        jax.debug.callback(lambda n: calls.append(int(n)), x.shape[0])
        return -x

    solver = bj.solvers.rk4(steps=3)
    bj.trajectory(field, solver, jnp.ones((5, 2)), predictions=bj.schedules.CondOT())
    jax.effects_barrier()
    assert calls == [5] * solver.nfe


@pytest.mark.parametrize(
    ("x0", "c", "words"),
    [
        (np.ones((2, 3), int), None, "floating-point"),
        (np.array(1.0), None, "batch"),
        (np.ones((2, 3)), np.ones(3), "leading axis"),
    ],
)
def test_wrong_states_are_explained(x0, c, words):
    with pytest.raises(ValueError, match=words):
        bj.sample(FIELD, bj.solvers.euler(steps=2), x0, c=c)


def test_validate_names_the_fault():
    good = bj.solvers.midpoint(steps=2)
    assert bj.validate(good) is good
    with pytest.raises(ValueError, match="a Solver"):
        check_form("euler")
    with pytest.raises(ValueError, match=r"q .* got t \(4,\)"):
        bj.validate(good._replace(q=np.zeros((3, 1))))
    with pytest.raises(ValueError, match=r"solver.a must be finite; entry \[2\]"):
        bj.validate(good._replace(a=np.array([0, 0, np.nan, 0])))
    with pytest.raises(ValueError, match="end must lie in"):
        bj.validate(good._replace(end=np.float64(1.5)))
    with pytest.raises(ValueError, match=r"t must lie in \[0, end"):
        bj.validate(good._replace(t=good.t + 1))
    with pytest.raises(ValueError, match="p row 0"):
        bj.validate(good._replace(p=np.ones((4, 2))))

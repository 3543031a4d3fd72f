"""Solves one evaluation at a time: values, derivatives, programs and memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bespoke_jax as bj
from bespoke_jax.core.calls import as_field
from bespoke_jax.core.solver import Solver
from bespoke_jax.fitting import adjoint

N, D = 3, 2
X0 = jax.random.normal(jax.random.key(0), (N, D))
C = jnp.linspace(0.5, 1.5, N)[:, None]
MIX = jnp.array([[0.4, -1.1], [0.9, 0.3]])


def u(t, x, c):
    """Nonlinear in all three."""
    return jnp.tanh(x @ MIX + jnp.sin(3 * t)[:, None]) - c * x * jnp.cos(t)[:, None]


FIELD = as_field(u)
ALL = jnp.broadcast_to(jnp.eye(D), (N, D, D))
"""Numbers v_k . x_n that are the sample itself."""


def solver(n, wx, wu, seed=0):
    """Random numbers in every place that (S) lets a row have."""
    rng = np.random.default_rng(seed)
    inside = lambda w: np.arange(n)[:, None] >= np.arange(w)
    p = 0.3 * rng.normal(size=(n, wx)) * inside(wx)
    q = rng.normal(size=(n, wu)) * inside(wu) / n
    t = np.sort(rng.uniform(size=n)) * 0.9
    return Solver(t, 1 + 0.3 * rng.normal(size=n), p, q, np.float64(0.95))


def tables(made, size=N):
    one = adjoint.table(made)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (size, *leaf.shape)), one)


def of_table(t, a, b):
    """The canonical form as a Solver, which counts back from the newest velocity."""
    n = len(t)
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    q = jnp.where(lag >= 0, jnp.take_along_axis(b, np.maximum(lag, 0), axis=1), 0.0)
    return Solver(t, a, jnp.zeros((n, 0)), q, jnp.asarray(0.95))


WINDOWS = [(0, 1), (1, 1), (2, 2), (1, 3), (0, 4)]


@pytest.mark.parametrize(("wx", "wu"), WINDOWS)
def test_a_run_is_a_solve(wx, wu):
    made = solver(4, wx, wu)
    run = adjoint.run(FIELD, tables(made), X0, C)
    want = bj.trajectory(u, made, X0, c=C)
    np.testing.assert_allclose(np.stack(run.states), want, rtol=1e-12, atol=1e-13)
    assert run.table.nfe == len(run.velocities) == 4


@pytest.fixture(scope="module")
def exact():
    """Reverse mode through the whole of `bj.sample`, by the numbers of any solver."""
    return jax.jit(jax.jacrev(lambda made: bj.sample(u, made, X0, c=C)))


@pytest.mark.slow
@pytest.mark.parametrize(("wx", "wu"), WINDOWS)
def test_derivatives_by_a_solvers_own_numbers(exact, wx, wu):
    """Through `table`, whose windows mix the rows."""
    made = solver(4, wx, wu, seed=wx + wu)
    pulled = adjoint.pull(FIELD, adjoint.run(FIELD, tables(made), X0, C), C, ALL)
    _, back = jax.vjp(adjoint.table, jax.tree.map(jnp.asarray, made))
    got = jax.vmap(jax.vmap(lambda row: back(row)[0]))(adjoint.Table(*pulled))
    want = exact(made)
    for name in ("a", "p", "q"):
        ours, theirs = getattr(got, name), getattr(want, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(got.t[..., 1:], want.t[..., 1:], rtol=1e-9, atol=1e-11)
    assert np.abs(want.t[..., 0]).max() > 1e-3  # t_0 is held fixed, not without effect
    np.testing.assert_array_equal(got.t[..., 0], 0)


@pytest.mark.slow
def test_each_sample_may_have_a_table_of_its_own():
    each = [adjoint.table(solver(3, 1, 2, seed)) for seed in range(N)]
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    run = adjoint.run(FIELD, both, X0, C)
    pulled = adjoint.pull(FIELD, run, C, ALL)

    @jax.jit
    @jax.jacrev
    def jacobian(table, x0, c):
        return bj.sample(u, of_table(*table), x0[None], c=c[None])[0]

    for i, one in enumerate(each):
        x = bj.sample(u, of_table(*one), X0[i : i + 1], c=C[i : i + 1])[0]
        np.testing.assert_allclose(run.states[-1][i], x, rtol=1e-12)
        want = jacobian(one, X0[i], C[i])
        np.testing.assert_allclose(pulled.a[i], want.a, rtol=1e-9)
        np.testing.assert_allclose(np.tril(pulled.b[i]), np.tril(want.b), rtol=1e-9)
        np.testing.assert_array_equal(np.triu(pulled.b[i], 1), 0)
        np.testing.assert_allclose(pulled.t[i][:, 1:], want.t[:, 1:], rtol=1e-9)


def test_any_direction_is_a_combination_of_the_rows():
    """v . x_n has the derivatives that v mixes of those of x_n."""
    run = adjoint.run(FIELD, tables(solver(4, 2, 2)), X0, C)
    whole = adjoint.pull(FIELD, run, C, ALL)
    v = jax.random.normal(jax.random.key(1), (N, 3, D))
    for ours, rows in zip(adjoint.pull(FIELD, run, C, v), whole, strict=True):
        want = np.einsum("nkd,nd...->nk...", v, rows)
        np.testing.assert_allclose(ours, want, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_programs_of_the_field_are_those_of_one_evaluation():
    """It is traced once forward and once in reverse, for all numbers of evaluations."""
    traced = []

    def counted(t, x, c):
        traced.append(x.shape)
        return u(t, x, c)

    field, seen = as_field(counted), []
    for n in (4, 9, 2):
        run = adjoint.run(field, tables(solver(n, 1, 2)), X0, C)
        adjoint.pull(field, run, C, ALL)
        seen.append(len(traced))
    assert seen == [2, 2, 2]


@pytest.mark.slow
def test_memory_grows_by_the_states_alone(monkeypatch):
    """What is alive while the network is evaluated, beside its own temporaries."""
    live = lambda: sum(array.nbytes for array in jax.live_arrays())
    real, seen = adjoint._field_back, []

    def watched(*args):
        seen.append(live())
        return real(*args)

    monkeypatch.setattr(adjoint, "_field_back", watched)
    x0 = jnp.ones((N, 50, D))
    v = jnp.ones((N, 1, 50, D))
    field = as_field(lambda t, x, c: jnp.tanh(x) * t[:, None, None] * c[..., None])

    def peak(n):
        before, _ = live(), seen.clear()
        run = adjoint.run(field, tables(solver(n, 0, 1)), x0, C)
        adjoint.pull(field, run, C, v)
        return max(seen) - before

    _ = peak(4), peak(8)  # constants that compiled programs keep
    # Each evaluation more adds a state, a velocity and its derivative for each probe
    # (and one of these that the row has not replaced yet), and rows of the tables.
    rows = 8 * 16 * 8 * N * 8
    assert peak(8) - peak(4) <= 4 * 4 * x0.nbytes + rows

"""Rows by regression: exact where theory says so, and least squares everywhere."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import quick_are
from oracles import GAUSSIAN, Mixture, field, gaussian_paths, random_mixture

import bespoke_jax as bj
from bespoke_jax.fitting.least_squares import Products, solve

VP, END = bj.schedules.VP(), 1 - 1e-3
MIXTURE = random_mixture(0)


def regress(*args, **options) -> bj.Solver:
    """Without a condition it is a plain solver."""
    found = bj.regress(*args, **options)
    assert isinstance(found, bj.Solver)
    return found


def grid(n, name="log_snr", schedule=VP):
    return bj.grids.resolve(name, n, schedule, end=END)


def truth(size, seed=0, mixture=MIXTURE, schedule=VP):
    x0 = jax.random.normal(jax.random.key(seed), (size, mixture.mu.shape[1]))
    u = field(schedule, mixture)
    return u, bj.reference.solve(u, x0, end=END, rtol=1e-7, atol=1e-7, progress=False)


def error(u, solver, paths):
    x = bj.sample(u, solver, paths.x0)
    return float(jnp.mean(bj.paths.rms(x - paths.x1)))


@pytest.fixture(scope="module")
def few():
    return truth(24)


@pytest.fixture(scope="module")
def fresh():
    return truth(256, seed=1)[1]


@pytest.mark.parametrize("n", quick_are((2,), (2, 3, 5)))
def test_one_gaussian_is_exact_from_two_evaluations(n):
    """x_t is affine in the constant y of its path: two directions span the flow."""
    u = field(VP, GAUSSIAN)
    paths = gaussian_paths(VP, GAUSSIAN, 12, END)
    times = grid(n, "uniform")
    solver = regress(u, paths, times=times, schedule=VP, ridge=1e-13)
    assert error(u, solver, paths) < 1e-5
    assert error(u, bj.solvers.ddim(VP, nfe=n, grid=times, end=END), paths) > 1e-2


@pytest.mark.parametrize(
    ("name", "window"),
    [("ddim", None), ("ddim", 1), ("ddim", 2), ("dpm_solver_pp_2m", None)],
)
def test_data_of_one_point_give_consistent_rows(name, window):
    """The prior is exact there, nothing is left to fit: it comes back."""
    point = Mixture(np.ones(1), np.array([[0.7, -0.2]]), np.array([0.0]))
    u, times = field(VP, point), grid(4)
    make = getattr(bj.solvers, name)
    prior = make(VP, nfe=4, grid=times, end=END)
    paths = gaussian_paths(VP, point, 3, END)
    solver = regress(u, paths, times=times, schedule=VP, prior=prior, window=window)
    chex.assert_trees_all_close(
        bj.canonical(solver), bj.canonical(prior), rtol=1e-5, atol=1e-6
    )
    other = Mixture(np.ones(1), np.array([[-2.0, 1.5]]), np.array([0.0]))
    elsewhere = gaussian_paths(VP, other, 5, END)
    assert error(field(VP, other), solver, elsewhere) < 1e-5


@pytest.mark.slow
def test_rows_are_those_of_qr(few):
    """Without weights and ridge, the last row is numpy's least-squares solution."""
    u, paths = few
    times = grid(4)
    solver = regress(u, paths, times=times, schedule=VP, ridge=1e-15, rounds=0)
    states = bj.trajectory(u, solver, paths.x0)
    t = jnp.asarray(solver.t)
    us = [u(t[i], states[i]) for i in range(4)]
    F = np.stack([np.ravel(v) for v in (paths.x0, *us)], 1)
    want, *_ = np.linalg.lstsq(F, np.ravel(paths.x1), rcond=None)
    a, b = bj.canonical(solver)
    np.testing.assert_allclose(F @ np.append(a[-1], b[-1]), F @ want, atol=1e-7)


@pytest.mark.slow
def test_a_further_column_never_raises_the_training_error(few):
    u, paths = few
    x0, x1 = np.asarray(paths.x0), np.asarray(paths.x1)
    products = Products()
    products.add("x0", x0)
    products.add("target", x1)
    names, errors = ["x0"], []
    for k, t in enumerate((0.0, 0.3, 0.6, 0.9)):
        products.add(f"u{k}", np.asarray(u(jnp.asarray(t), paths.x0)))
        names.append(f"u{k}")
        normal = products.normal_equations(names, "target")
        weights = solve(normal, np.zeros(len(names)), ridge=1e-14, rounds=0)
        residual = products.combination(names, weights) - x1
        e = np.sqrt(np.mean(residual**2, 1))
        np.testing.assert_allclose(normal.errors(weights), e, atol=1e-7)
        errors.append(np.mean(e**2))
    assert np.all(np.diff(errors) <= 1e-12)


def test_reweighting_lowers_the_mean_error():
    rng = np.random.default_rng(0)
    F, y = rng.normal(size=(40, 6)), rng.standard_t(1.5, size=(40, 6))
    products = Products()
    products.add("x", F)
    products.add("target", y + 0.5 * F)
    normal = products.normal_equations(["x"], "target")
    score = lambda r: normal.errors(solve(normal, np.zeros(1), ridge=1e-12, rounds=r))
    square, mean = score(0), score(8)
    assert np.mean(mean) < np.mean(square) and np.mean(mean**2) > np.mean(square**2)


@pytest.mark.slow
def test_batches_do_not_matter(few):
    u, paths = few
    options = {"times": grid(5), "schedule": VP}
    one = regress(u, paths, **options)
    cut = regress(u, paths, batch_size=5, **options)
    chex.assert_trees_all_close(bj.canonical(cut), bj.canonical(one), rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 2])
def test_better_than_every_training_free_solver_on_its_grid(few, fresh, window):
    u, paths = few
    for n in (4, 6, 8):
        times = grid(n)
        fitted = regress(u, paths, times=times, schedule=VP, window=window)
        names = ("ddim", "dpm_solver_pp_2m", "unipc", "deis_tab", "scire_v2_2m")
        best = min(
            error(
                u, bj.solvers.construct(k, n, schedule=VP, grid=times, end=END), fresh
            )
            for k in names
            if k in bj.solvers.TABLE
        )
        assert error(u, fitted, fresh) < 0.8 * best


@pytest.mark.slow
def test_own_states_correct_what_came_before(few, fresh):
    """At equal cost, features on the exact path (OLSS) leave a larger error."""
    u, paths = few
    options = {"times": grid(6), "schedule": VP}
    own = regress(u, paths, **options)
    exact = regress(u, paths, states="exact", **options)
    assert error(u, own, fresh) < error(u, exact, fresh)


@pytest.mark.slow
def test_states_at_the_times_are_enough(few):
    u, paths = few
    times = grid(4)
    at = bj.reference.solve(
        u, paths.x0, end=END, times=times, rtol=1e-7, atol=1e-7, progress=False
    )
    options = {"times": times, "schedule": VP}
    chex.assert_trees_all_close(
        bj.canonical(regress(u, at, **options)),
        bj.canonical(regress(u, paths, **options)),
        rtol=1e-3, atol=1e-3,
    )  # fmt: skip
    with pytest.raises(ValueError, match="no states at the inner times"):
        regress(u, at, times=grid(5), schedule=VP)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"times": [0.0, 0.5]}, "times must run from 0 to 0.999"),
        ({"times": [0.0, 0.7, 0.5, END]}, "increasing"),
        ({"window": 0}, "window must be a whole number of at least 1"),
        ({"ridge": 0}, "ridge must be a finite number above 0"),
        ({"states": "teacher"}, "states must be one of own, exact"),
        ({"prior": bj.solvers.ddim(VP, nfe=3, end=END)}, "prior evaluates at"),
        (
            {"window": 1, "prior": bj.solvers.dpm_solver_pp_2m(
                VP, nfe=4, grid=grid(4), end=END)},
            "row 2 of the prior uses more",
        ),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(options, words):
    u, paths = field(VP, GAUSSIAN), gaussian_paths(VP, GAUSSIAN, 12, END)
    with pytest.raises(ValueError, match=words):
        regress(u, paths, **{"times": grid(4), "schedule": VP, **options})

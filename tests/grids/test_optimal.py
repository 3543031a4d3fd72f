"""Steps by dynamic programming: real steps' errors, and the least sum of them."""

from dataclasses import dataclass
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import GAUSSIAN, field, gaussian_paths, random_mixture

import bespoke_jax as bj
from bespoke_jax import grids
from bespoke_jax.grids.optimal import cheapest

VP, END = bj.schedules.VP(), 1 - 1e-3
TIMES = [0.0, 0.2, 0.5, 0.6, 0.85, END]


@pytest.mark.parametrize("n", range(1, 8))
def test_the_least_sum_is_that_of_all_choices(n):
    rng = np.random.default_rng(n)
    errors = np.where(np.triu(np.ones((8, 8)), 1) > 0, rng.uniform(size=(8, 8)), np.inf)
    total = lambda path: sum(errors[i, j] for i, j in zip(path, path[1:], strict=False))
    every = [(0, *inner, 7) for inner in combinations(range(1, 7), n - 1)]
    assert tuple(cheapest(errors, n)) == min(every, key=total)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["euler", "ddim"])
def test_errors_are_those_of_single_steps(rule):
    u = field(VP, GAUSSIAN)
    paths = gaussian_paths(VP, GAUSSIAN, 5, END)
    schedule = VP if rule == "ddim" else None
    found = grids.optimal_steps(paths, schedule=schedule, times=TIMES)
    assert np.isinf(found.errors[np.tril_indices(6)]).all()
    for i, j in ((0, 1), (0, 5), (2, 3), (3, 5)):
        ends = [TIMES[i], TIMES[j]]
        step = bj.solvers.construct(rule, 1, schedule=VP, grid=ends, end=ends[1])
        (x, want), _ = bj.paths.at(paths, np.array(ends))
        off = bj.paths.rms(bj.sample(u, step, x) - want)
        size = jnp.sqrt(jnp.mean(want**2))
        # relative, as the slopes of the paths are interpolated
        np.testing.assert_allclose(found.errors[i, j], off.mean() / size, rtol=1e-3)


@dataclass(frozen=True)
class Unscaled(bj.schedules.Path):
    """The path of VP divided by its alpha."""

    def alpha(self, t):
        return jnp.ones_like(t)

    def sigma(self, t):
        return VP.nsr(t)


@pytest.mark.slow
def test_the_choice_for_ddim_is_that_of_every_scaling():
    """DDIM takes the same data predictions to the same states, times the scale."""
    path = Unscaled()
    paths = gaussian_paths(VP, GAUSSIAN, 5, END)
    x, v = paths.states, paths.slopes
    scale = 1 / np.asarray(VP(paths.knots)[0])
    rate = -np.asarray(VP.rates(paths.knots)[0]) * scale**2
    s, s_dot = (jnp.asarray(y)[None, :, None] for y in (scale, rate))
    scaled = paths._replace(
        x0=paths.x0 * scale[0], x1=paths.x1 * scale[-1], states=s * x,
        slopes=s * v + s_dot * x,
    )  # fmt: skip
    knots = np.asarray(paths.knots)[::8]
    one = grids.optimal_steps(paths, schedule=VP, times=knots)
    other = grids.optimal_steps(scaled, schedule=path, times=knots)
    np.testing.assert_allclose(other.errors, one.errors, rtol=1e-6, atol=1e-9)


def test_ddim_is_euler_on_the_straight_path():
    path = bj.schedules.CondOT()
    paths = gaussian_paths(path, GAUSSIAN, 5, END)
    one, other = (
        grids.optimal_steps(paths, schedule=schedule, times=TIMES)
        for schedule in (path, None)
    )
    np.testing.assert_allclose(one.errors, other.errors, rtol=1e-9, atol=1e-9)


def test_equal_errors_choose_equal_steps():
    """x'' constant: the sum of h^2 |x''| / 2 is least for equal steps."""
    t = np.linspace(0, 1, 25)
    states = jnp.asarray(np.stack([1000 + 0.5 * t**2, 1000 - 0.5 * t**2], -1))[None]
    slopes = jnp.asarray(np.stack([t, -t], -1))[None]
    paths = bj.Paths(states[:, 0], states[:, -1], None, t, states, slopes, 1.0)
    found = grids.optimal_steps(paths)
    for n in (1, 2, 3, 4, 6, 8, 12, 24):
        np.testing.assert_allclose(found.grid(n), grids.uniform(n), atol=1e-12)
    np.testing.assert_allclose(found(3, 0.75), grids.uniform(3, 0.75), atol=1e-12)


@pytest.mark.slow
def test_ddim_errs_less_than_on_every_named_grid():
    u = field(VP, random_mixture(0))
    solve = lambda size, seed: bj.reference.solve(
        u, jax.random.normal(jax.random.key(seed), (size, 2)), end=END, rtol=1e-6,
        atol=1e-6, progress=False,
    )  # fmt: skip
    found = grids.optimal_steps(solve(32, 0), schedule=VP)
    assert len(found.times) > 64
    fresh = solve(128, 1)

    def error(n, grid):
        solver = bj.solvers.ddim(VP, nfe=n, grid=grid, end=END)
        return float(bj.metrics.rmse(bj.sample(u, solver, fresh.x0), fresh.x1))

    for n in (4, 8):
        assert error(n, found) < 0.9 * min(error(n, name) for name in grids.NAMES)


def test_wrong_arguments_are_refused():
    paths = gaussian_paths(VP, GAUSSIAN, 5, END)
    found = grids.optimal_steps(paths, times=TIMES)
    with pytest.raises(ValueError, match="6 steps from t = 0 to 0.999 cannot"):
        found.grid(6)
    with pytest.raises(ValueError, match="measured on paths from t = 0 to 0.999"):
        found(2, 1.0)
    with pytest.raises(ValueError, match="measured on paths from t = 0 to 0.999"):
        grids.optimal_steps(paths, times=[0.0, 0.5, 1.0])
    with pytest.raises(ValueError, match="optimal_steps needs dense paths"):
        grids.optimal_steps(paths._replace(knots=None, states=None, slopes=None))

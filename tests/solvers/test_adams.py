"""Adams methods: published weights, exactness on polynomials, the PECE of order 2."""

import numpy as np
import pytest
from host import run
from jax.tree_util import Partial

import bespoke_jax as bj
from bespoke_jax import solvers
from bespoke_jax.solvers.adams_weights import CONSTANT, variable_step

GRID = [0.0, 0.2, 0.3, 0.45, 0.7, 0.8, 1.0]


def test_weights_of_equal_steps_are_the_published_ones():
    for order, want in CONSTANT.items():
        got = variable_step(-np.arange(order, dtype=float), 0.0, 1.0)
        np.testing.assert_allclose(got, want, rtol=1e-12)
    for want in ((1 / 2, 1 / 2), (5 / 12, 8 / 12, -1 / 12)):
        got = variable_step(1.0 - np.arange(len(want)), 0.0, 1.0)
        np.testing.assert_allclose(got, want, rtol=1e-12)
    want = np.array([9, 19, -5, 1]) / 24
    np.testing.assert_allclose(variable_step(1.0 - np.arange(4), 0.0, 1.0), want)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_velocities_that_are_polynomials_in_time_are_integrated(order):
    # Of the degree that the first step, too, is exact for; then of the method's own.
    solver = solvers.adams_moulton(nfe=12, order=order, grid=GRID)
    x0 = np.zeros((1, 1))
    end = run(Partial(lambda t, x: 0 * x + 2 * t), solver, x0)
    np.testing.assert_allclose(end, 1, rtol=1e-12)
    assert solver.nfe == 12 and np.all(solver.t[1::2] == GRID[1:])
    # After its start of order 2 a method of order k is exact for degree k - 1.
    a, b = bj.canonical(solver)
    moments = b @ solver.t ** (order - 1)
    rows = 2 * np.arange(order - 2, 6) + 1
    steps = np.diff(moments[rows])
    want = np.diff(np.array(GRID)[(rows + 1) // 2] ** order) / order
    np.testing.assert_allclose(steps, want, rtol=1e-12)
    np.testing.assert_array_equal(a, 1)


def test_order_2_is_heun():
    one = solvers.adams_moulton(nfe=12, order=2, grid=GRID)
    two = solvers.heun(nfe=12, grid=GRID)
    for a, b in zip(bj.canonical(one), bj.canonical(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-15)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="costs 2 evaluations; nfe = 1"):
        solvers.adams_moulton(nfe=1)
    with pytest.raises(ValueError, match="order must be one of"):
        solvers.adams_moulton(nfe=4, order=5)
    assert solvers.adams_moulton(nfe=7).nfe == 6

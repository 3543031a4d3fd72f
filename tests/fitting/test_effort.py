"""Plans of a search: what they cost is never more than what is left."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespoke_jax.fitting import times
from bespoke_jax.fitting.effort import EFFORTS, regressions
from bespoke_jax.fitting.incremental import cost

SIZES = {
    "nfe": st.integers(2, 20),
    "count": st.integers(2, 1000),
    "grids": st.integers(1, 40),
    "unknowns": st.floats(1e-4, 20),
    "level": st.sampled_from(sorted(EFFORTS)),
}


def needed(nfe, plan, grids):
    """Solves of a plan at most: all grids, the pilots' own fit, moves of two tries."""
    moving = plan.moves * times.cost(nfe, plan.movers, 2) / nfe
    final = plan.finals * plan.paths
    return grids * plan.pilots + bool(plan.movers) * plan.movers + moving + final


@given(solves=st.floats(1, 1e5), **SIZES)
def test_regressions_keep_to_what_is_left(nfe, solves, count, grids, unknowns, level):
    plan = regressions(EFFORTS[level], nfe, solves, count, grids, unknowns)
    least = max(2, math.ceil(4 * unknowns))
    assert plan.finals >= 1 and min(plan.pilots, plan.paths) >= min(count, least)
    assert max(plan.pilots, plan.movers, plan.paths) <= count
    assert bool(plan.movers) == bool(plan.moves)
    # The least that every grid needs may be more: then fewer grids are tried.
    bound = max(solves, grids * min(count, least) + min(count, least))
    assert needed(nfe, plan, grids) <= bound


@given(**SIZES)
def test_without_a_bound_a_larger_plan_is_made(nfe, count, grids, unknowns, level):
    effort = EFFORTS[level]
    free = regressions(effort, nfe, math.inf, count, grids, unknowns)
    bound = regressions(effort, nfe, 2000.0, count, grids, unknowns)
    assert free.paths >= bound.paths and free.moves >= bound.moves
    assert free.movers >= bound.movers and free.finals >= bound.finals


def test_a_step_costs_a_solve_a_pull_and_a_score():
    assert cost(4, 3, 0, 48) == 4 + 3 * (1 + 2 * 3)
    assert cost(4, 3, 32, 48) == pytest.approx(25 + 1.2 * 4 * 32 / 48)


def test_bounds_of_the_levels_are_those_that_are_promised():
    budgets = range(1, 33)
    assert all(EFFORTS["seconds"].most(n) <= 2_500 for n in budgets)
    assert all(EFFORTS["best"].most(n) <= 3_700 * n for n in budgets if n <= 8)
    assert all(EFFORTS["best"].most(n) <= 80_000 for n in budgets)
    assert not EFFORTS["seconds"].descends

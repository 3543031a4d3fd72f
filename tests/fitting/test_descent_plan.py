"""How a descent goes through the paths: within what is left, and often enough."""

from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bespoke_jax.fitting.effort import checking, descent, enough
from bespoke_jax.fitting.incremental import cost


@given(
    nfe=st.integers(1, 20), left=st.floats(0, 1e6), count=st.integers(2, 2000),
    numbers=st.integers(1, 4000), parameters=st.integers(2, 300),
    check=st.integers(1, 128), probes=st.integers(2, 5),
)  # fmt: skip
@example(nfe=1, left=18.0, count=80, numbers=1, parameters=2, check=1, probes=2)
def test_descents_keep_to_what_is_left(
    nfe, left, count, numbers, parameters, check, probes
):
    step = partial(cost, nfe, probes, check)
    plan = descent(left, step, count, numbers, parameters)
    if plan is None:
        assert left < step(min(count, 16)) * min(count, 16)
        return
    assert plan.batch * plan.batches <= max(count, plan.batch) and plan.batch <= count
    each, steps = step(plan.batch) * plan.batch, plan.passes * plan.batches
    # The last pass may end early, with the budget.
    assert (steps - plan.batches) * each <= left
    # Twice over the paths, unless so little is left that four steps are all of it.
    assert plan.batches <= 4 or 2 * plan.batches * each <= left


@pytest.mark.parametrize(
    ("count", "solves", "paths", "passes"),
    [
        # Few paths: all of them, twice or as often as can be.
        (192, 2 * 192, 192, 2),
        (192, 20 * 192, 192, 20),
        # Not even twice: four steps of different ones.
        (192, 192, 192, 1),
        # Many: the first of them, until these are seen sixteen times.
        (1024, 3 * 1024, 192, 16),
        (1024, 4 * 1024, 240, 17),
        (1024, 12 * 1024, 768, 16),
        (1024, 16 * 1024, 1024, 16),
    ],
)
def test_of_many_paths_fewer_are_seen_more_often(count, solves, paths, passes):
    plan = descent(float(solves), lambda _: 1.0, count, numbers=64, parameters=70)
    assert plan is not None
    assert abs(plan.batch * plan.batches - paths) <= plan.batch
    assert abs(plan.passes - passes) <= 1


def test_small_samples_need_more_paths_and_are_checked_on_more():
    assert [enough(D) for D in (1, 8, 16, 32, 64, 3072)] == [512, 512, 256, *[192] * 3]
    assert [checking(D) for D in (1, 8, 16, 32, 64, 3072)] == [128, 128, 64, 32, 32, 32]

"""Successive halving: what it costs, whom it lets through, what it survives."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespoke_jax.fitting.race import Start, diverse, race, rungs


@given(
    starts=st.integers(1, 300),
    pilots=st.integers(1, 80),
    keep=st.integers(1, 4),
    solves=st.floats(1, 1e5),
)
def test_a_race_keeps_to_its_allowance_and_sees_every_path_once(
    starts, pilots, keep, solves
):
    plan = rungs(starts, pilots, keep, solves)
    assert plan  # one solve pays for one start on one path
    assert sum(rung.solves for rung in plan) <= solves
    assert plan[0].first == 0
    for before, after in zip(plan, plan[1:], strict=False):
        assert after.first == before.last < after.last <= pilots
        assert keep <= after.starts < before.starts or after.starts == keep


def test_an_allowance_that_pays_for_nothing_gives_no_rounds():
    assert rungs(10, 8, 3, 0.5) == []


def test_without_a_bound_the_last_starts_see_all_pilots():
    plan = rungs(184, 64, 3, math.inf)
    assert (plan[0].last, plan[-1].last) == (8, 64)
    # Cheaper than all starts on all pilots by more than half.
    assert sum(rung.solves for rung in plan) < 0.4 * 184 * 64


def run(quality, plan, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    table = np.asarray(quality)[:, None] * (
        1 + noise * rng.standard_normal((len(quality), 64))
    )
    spent = []

    def errors(start, first, last):
        spent.append(last - first)
        if math.isnan(quality[start]):
            raise RuntimeError("no such luck")
        return table[start, first:last]

    result = race(list(range(len(quality))), plan, errors, np.mean, progress=False)
    return result, sum(spent)


def test_the_best_start_wins_and_the_cost_is_the_plan():
    quality = np.random.default_rng(1).permutation(np.linspace(1, 3, 50))
    plan = rungs(50, 64, 3, math.inf)
    result, spent = run(quality, plan)
    assert result.order == list(np.argsort(quality))
    np.testing.assert_allclose(result.scores, np.sort(quality))
    assert spent == sum(rung.solves for rung in plan)


def test_more_paths_are_given_to_those_that_are_hard_to_tell_apart():
    quality = np.linspace(1, 1.5, 40)
    firsts = [
        run(quality, rungs(40, 64, 3, math.inf), 0.3, seed)[0].order[0]
        for seed in range(20)
    ]
    by_few = [
        run(quality, rungs(40, 1, 3, math.inf), 0.3, s)[0].order[0] for s in range(20)
    ]
    assert np.mean(firsts) < 0.5 * np.mean(by_few)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_start_that_fails_costs_itself_only(bad):
    quality = [3.0, bad, 1.0, 2.0]
    result, _ = run(quality, rungs(4, 8, 2, math.inf))
    assert result.order == [2, 3, 0]
    ((number, reason),) = result.dropped
    assert number == 1
    assert reason == (
        "RuntimeError: no such luck" if math.isnan(bad) else "its solve diverges"
    )


def test_starts_are_diverse_in_method():
    starts = [Start(f"{m}, {g}", m, i, None) for i, (m, g) in enumerate(
        [("a", "x"), ("a", "y"), ("b", "x"), ("c", "y"), ("d", "x")]
    )]  # fmt: skip
    assert [s.name for s in diverse(starts, 3)] == ["a, x", "b, x", "c, y"]


def test_a_late_race_keeps_what_it_has_measured():
    quality, measured = [3.0, 1.0, 2.0, 0.5], []

    def errors(start, first, last):
        measured.append(start)
        return np.full(last - first, quality[start])

    plan = rungs(4, 8, 2, math.inf)
    late = lambda: len(measured) >= 3
    result = race([0, 1, 2, 3], plan, errors, np.mean, late=late, progress=False)
    assert result.order == [1, 2, 0] and result.scores == [1.0, 2.0, 3.0]
    assert result.dropped == [(3, "there was no time to measure it")]

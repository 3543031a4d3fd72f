"""Budgets are upper bounds; journals make a run the same run again."""

import math
import time

import numpy as np
import pytest

from bespoke_jax.core.budget import Budget, TooLittle
from bespoke_jax.fitting.journal import Journal


def test_what_is_reserved_cannot_be_spent_on_something_else():
    budget = Budget(100)
    budget.reserve(30)
    budget.pay(50)
    assert budget.left == 20
    assert budget.affords(20) and not budget.affords(21)
    budget.release()
    assert budget.left == 50
    with pytest.raises(TooLittle, match="at least 101 network evaluations") as info:
        budget.reserve(51)
    assert info.value.least == 101


def test_without_a_bound_everything_is_afforded():
    assert Budget().left == math.inf
    assert Budget().affords(1e12, seconds=1e9)


@pytest.mark.parametrize("bound", [0, -1, math.nan])
def test_a_bound_must_be_positive(bound):
    with pytest.raises(
        ValueError, match="evaluations, or None, must be a finite number above 0"
    ):
        Budget(bound)
    with pytest.raises(
        ValueError, match="seconds, or None, must be a finite number above 0"
    ):
        Budget(None, bound)


def test_seconds_bound_what_is_begun():
    budget = Budget(seconds=10)
    budget.resume_at(9.0)
    assert budget.elapsed >= 9.0
    assert budget.affords(1, seconds=0.5) and not budget.affords(1, seconds=2.0)


def compute(budget, value, calls):
    def run():
        calls.append(value)
        budget.pay(10)
        return [np.arange(3.0) * value, value, [value, 2, 3]]

    return run


def test_a_journal_reads_what_it_has_and_pays_for_it(tmp_path):
    settings, calls = {"n": 1}, []
    first = Budget(100)
    journal = Journal(tmp_path, settings, first)
    made = [journal.once(compute(first, v, calls)) for v in (1.0, 2.0)]
    time.sleep(0.05)
    journal.once(compute(first, 3.0, calls))
    journal.close()
    second = Budget(100)
    journal = Journal(tmp_path, settings, second)
    again = [journal.once(compute(second, v, calls)) for v in (1.0, 2.0, 3.0, 4.0)]
    journal.close()
    assert calls == [1.0, 2.0, 3.0, 4.0]  # only the last one was missing
    assert second.spent == 40 and second.elapsed >= 0.05
    for ours, theirs in zip(again, made, strict=False):
        assert len(ours) == len(theirs) == 3
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="n was 1, is 2"):
        Journal(tmp_path, {"n": 2}, Budget())


def test_a_part_that_fails_is_not_kept(tmp_path):
    journal = Journal(tmp_path, {}, Budget())

    def fails():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        journal.once(fails)
    np.testing.assert_array_equal(journal.once(lambda: [np.ones(2)])[0], np.ones(2))
    journal.close()

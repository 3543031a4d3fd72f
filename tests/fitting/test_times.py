"""Times by variable projection: derivatives, what they cost, where they lead."""

import functools
from typing import Any

import jax
import numpy as np
import pytest
from tailor_cases import END, FIELD, SCHEDULE, counted, dense

import bespoke_jax as bj
from bespoke_jax.core.calls import as_field
from bespoke_jax.fitting import times
from bespoke_jax.fitting.regression import Rows
from bespoke_jax.fitting.times import Timed

PILOTS = 12


def rows(f: Any = FIELD, **options):
    few = bj.paths.take(dense(), slice(0, PILOTS))
    return Rows(as_field(f), few, SCHEDULE, **options)


def on(name, n):
    return bj.grids.resolve(name, n, SCHEDULE, END)


@functools.cache
def fitted(n=4):
    return rows().fit(on("log_snr", n))


def mean(fit):
    return float(np.mean(fit.errors))


@pytest.mark.slow
def test_rows_before_a_moved_time_are_taken_over():
    """To the last bit: the times before it, and what was evaluated, are the same."""
    for moved in (1, 2, 3):
        at = on("log_snr", 4)
        at[moved] += 0.02 * (at[moved + 1] - at[moved])
        whole = rows().fit(at)
        rest = rows().fit(at, like=fitted(), moved=moved)
        for name in ("weights", "states"):
            for ours, theirs in zip(
                getattr(rest, name), getattr(whole, name), strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(rest.errors, whole.errors)
    # What it was taken over from is as it was.
    again = rows().fit(on("log_snr", 4))
    np.testing.assert_array_equal(again.states[-1], fitted().states[-1])
    np.testing.assert_array_equal(again.errors, fitted().errors)


@pytest.mark.slow
def test_the_derivatives_are_differences_of_complete_fits():
    found = Timed("log_snr", fitted())
    normal = times._normal_equations(rows(), found, lambda cost: None)
    room = np.minimum(np.diff(found.times)[:-1], np.diff(found.times)[1:])
    changes = []
    for j in range(3):
        at = found.times.copy()
        at[j + 1] += 0.03 * room[j]
        changes.append((rows().fit(at).states[-1] - fitted().states[-1]) / 0.03)
    J, r = np.stack(changes, -1), fitted().states[-1] - fitted().target
    assert J.shape == (PILOTS, 3, 3)
    near = {"rtol": 1e-8, "atol": 1e-10 * np.abs(J).max() ** 2}
    G = np.einsum("sdk,sdl->skl", J, J) / 3
    np.testing.assert_allclose(normal.G, G, **near)
    b = np.einsum("sdk,sd->sk", J, r) / 3
    np.testing.assert_allclose(normal.b, b, **near)


@pytest.mark.slow
def test_what_is_paid_is_what_the_field_was_asked_for():
    seen, bills = [], []
    made = rows(counted(seen))
    found = Timed("log_snr", made.fit(on("log_snr", 4)))
    jax.effects_barrier()
    assert sum(seen) == made.cost(4) == 4 * PILOTS
    seen.clear()
    improved = times.improve(made, found, np.mean, steps=2, tries=1, pay=bills.append)
    jax.effects_barrier()
    assert sum(bills) == sum(seen)
    # Three differences, of 3, 2 and 1 evaluations, and a try: n (n - 1) / 2 + n.
    step = [3 * PILOTS, 2 * PILOTS, PILOTS, 4 * PILOTS]
    assert sum(step) == times.cost(4, PILOTS, 1)
    assert bills == step * (len(bills) // 4) and len(bills) in (4, 8)
    assert len(improved) >= len(bills) // 4 - 1


@pytest.mark.slow
@pytest.mark.parametrize(("judge", "robust"), [(np.mean, False), (np.median, True)])
def test_errors_on_the_pilots_never_rise(judge, robust):
    made = rows(robust=robust)
    found = Timed("uniform", made.fit(on("uniform", 3)))
    improved = times.improve(made, found, judge, steps=4, pay=lambda cost: None)
    scores = [judge(one.fit.errors) for one in (found, *improved)]
    assert len(improved) >= 2 and np.all(np.diff(scores) < 0)
    assert scores[-1] < 0.8 * scores[0]
    for one in improved:
        assert one.name == "uniform"
        assert np.all(np.diff(one.times) > 0)
        np.testing.assert_array_equal(one.times[[0, -1]], found.times[[0, -1]])


@pytest.mark.slow
def test_one_time_goes_where_a_search_finds_it():
    """Of two evaluations, the one inner time: every place is tried."""
    made = rows()
    at = lambda t: np.array([0.0, t, END])
    tried = {t: mean(made.fit(at(t))) for t in np.linspace(0.04, 0.96, 47)}
    best = min(tried, key=tried.__getitem__)
    first = Timed("beside", made.fit(at(best - 0.2)))
    improved = times.improve(made, first, np.mean, steps=12, pay=lambda cost: None)
    assert mean(first.fit) > 10 * tried[best]
    assert mean(improved[-1].fit) <= 1.25 * tried[best]
    assert abs(improved[-1].times[1] - best) < 0.02


@pytest.mark.slow
def test_steps_end_where_the_field_or_the_allowance_does(monkeypatch):
    made, bills = rows(), []
    found = Timed("uniform", made.fit(on("uniform", 3)))
    step = times.cost(3, PILOTS, 1)
    for most in (step - 1, step, step + 3 * PILOTS, 3 * step + 5):
        bills.clear()
        improved = times.improve(
            made, found, np.mean, steps=9, most=most, pay=bills.append
        )
        assert sum(bills) <= most and len(improved) <= most // step
        assert most < step or sum(bills) > most - 2 * step
    real, calls = Rows.fit, []

    def fit(self, *args, **options):
        calls.append(None)
        if len(calls) == 5:  # in the second step
            raise ValueError("the state of row 1 is not finite; check the field.")
        return real(self, *args, **options)

    monkeypatch.setattr(Rows, "fit", fit)
    kept = times.improve(made, found, np.mean, steps=9, pay=bills.append)
    assert len(kept) == 1 and np.mean(kept[0].fit.errors) < np.mean(found.fit.errors)


def test_of_one_evaluation_there_is_no_time_to_move():
    one = Timed("uniform", rows().fit(np.array([0.0, END])))
    assert (
        times.improve(
            rows(), one, np.mean, steps=3, pay=lambda cost: pytest.fail(f"{cost} spent")
        )
        == []
    )


def test_grids_run_from_the_start_to_the_end_and_power_grids_are_theirs():
    profiles = {"mine": lambda n: np.linspace(0.1, 0.9, n + 1)}
    made = dict(times.makers(bj.schedules.CondOT(), (0.1, 0.9), profiles))
    assert {*bj.grids.NAMES, "mine", "power 0.9, 1.15"} < set(made)
    r = np.linspace(0, 1, 6)
    for name, make in made.items():
        t = make(5)
        np.testing.assert_allclose(t[[0, -1]], [0.1, 0.9], atol=1e-12)
        assert t.shape == (6,) and np.all(np.diff(t) > 0), name
    want = 0.1 + 0.8 * (1 - (1 - r**1.15) ** 1.5)
    np.testing.assert_allclose(made["power 1.15, 1.5"](5), want, rtol=1e-12)

"""What `tailor` may spend, and what it survives."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import field, random_mixture

import bespoke_jax as bj
from bespoke_jax.core.budget import TooLittle
from bespoke_jax.fitting import candidates, gauss_newton
from bespoke_jax.fitting.regression import Rows

SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
FIELD = field(SCHEDULE, random_mixture(0, dim=3, modes=2, std=0.4))
X0 = jax.random.normal(jax.random.key(0), (32, 3))


def tailor(x0: Any = X0, f: Any = FIELD, **options):
    settings = {"nfe": 3, "schedule": SCHEDULE, "end": END, **options}
    return bj.tailor(f, x0, key=jax.random.key(2), progress=False, **settings)


@pytest.mark.slow
def test_a_budget_is_never_exceeded_and_a_larger_one_never_useless():
    solved = {}
    for budget in (100, 300, 1000, 3000, 5000, 10_000, 30_000, 60_000, 300_000, 1e6):
        try:
            found = tailor(evaluations=budget)
        except TooLittle as error:
            assert error.least > budget
            assert f"at least {error.least}" in str(error)
            assert not solved  # what sufficed suffices with more
            continue
        assert found.evaluations <= budget
        assert np.all(found.history.evaluations <= budget)
        solved[budget] = found
    assert min(solved) <= 5000  # dense paths: their slopes are paid for too
    # Of the race, of the regressions and of the end: all others are steps.
    assert all(len(found.history.rmse) > 3 for b, found in solved.items() if b >= 1e4)
    assert solved[1e6].rmse < 0.6 * solved[1e6].start_rmse


@pytest.mark.slow
def test_scores_do_not_take_what_a_search_needs():
    """Many noises and a level that bounds what is spent: fewer of them score."""
    x0 = jax.random.normal(jax.random.key(4), (1500, 3))
    paths = bj.reference.solve(FIELD, x0, end=END, rtol=1e-4, atol=1e-4, progress=False)
    found = tailor(paths, nfe=4, effort="seconds")
    assert found.evaluations - paths.stats.evaluations <= 2_500
    assert 50 < found.scored < 300
    scored = bj.paths.take(paths, slice(1200, 1200 + found.scored))
    x = bj.sample(FIELD, found.solver, scored.x0)
    assert float(bj.metrics.rmse(x, scored.x1)) == pytest.approx(found.rmse)
    # Given paths, and little more than they cost: one start, chosen and scored.
    least = paths.stats.evaluations + 100
    assert tailor(paths, evaluations=least).evaluations <= least


@pytest.mark.slow
def test_the_least_budget_that_is_named_works():
    with pytest.raises(TooLittle) as info:
        tailor(evaluations=100)
    found = tailor(evaluations=info.value.least)
    assert found.evaluations <= info.value.least


@pytest.mark.slow
def test_sixty_thousand_evaluations_are_steps_at_image_size():
    """64 noises of 32 x 32 numbers, 6 NFE: 184 starts must not spend it all."""
    wide = field(SCHEDULE, random_mixture(1, dim=1024, modes=3, std=0.3))
    image = lambda t, x: wide(t, x.reshape(len(x), -1)).reshape(x.shape)
    x0 = jax.random.normal(jax.random.key(1), (64, 32, 32, 1), jnp.float32)
    found = tailor(x0, image, nfe=6, evaluations=60_000)
    assert found.evaluations <= 60_000
    assert found.paths.size == 64
    assert len(found.history.rmse) - 3 >= 3  # each over all 40 paths
    # Starts took at most a fifth: what was spent by the first entry, without the truth.
    assert found.history.evaluations[0] - found.paths.stats.evaluations <= 12_000
    assert found.rmse < found.start_rmse


@pytest.mark.slow
def test_reported_scores_are_those_of_fresh_noises():
    """The paths that chose an iterate flatter it; those that did not, do not."""
    fresh = bj.reference.solve(
        FIELD, jax.random.normal(jax.random.key(9), (512, 3)), end=END, progress=False
    )
    chosen, reported = [], []
    for seed in range(6):
        x0 = jax.random.normal(jax.random.key(100 + seed), (24, 3))
        found = tailor(x0)
        x = bj.sample(FIELD, found.solver, fresh.x0)
        exact = float(bj.metrics.rmse(x, fresh.x1))
        chosen.append(found.history.rmse[-1] / exact)
        reported.append(found.rmse / exact)
    assert abs(np.mean(np.log(reported))) < 0.4
    assert abs(np.mean(np.log(reported))) < abs(np.mean(np.log(chosen))) + 0.2


@pytest.mark.slow
def test_a_failing_constructor_costs_its_candidates_only(monkeypatch):
    def fails(*args, **options):
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr("bespoke_jax.solvers.uni_pc.unipc", fails)
    found = tailor(evaluations=20_000)
    names = {drop.name for drop in found.dropped if "ZeroDivision" in drop.reason}
    assert names and all(name.startswith("unipc, ") for name in names)
    assert not any(start.method == "unipc" for start in found.starts)
    assert found.rmse < found.start_rmse


@pytest.mark.slow
def test_a_descent_that_diverges_leaves_the_regressions(monkeypatch):
    def fails(*args, **options):
        raise ValueError("the solver to improve diverges on some of the paths.")

    monkeypatch.setattr(gauss_newton, "normal_equations", fails)
    found = tailor(evaluations=20_000)
    lost = {drop.name for drop in found.dropped if "to improve" in drop.reason}
    assert found.start in lost
    assert found.start.startswith("regression") and found.rmse < found.start_rmse


@pytest.mark.slow
def test_a_regression_that_diverges_costs_its_grid_only(monkeypatch):
    """On the pilots, and on the paths of the last fits, which it had not seen."""
    real, sizes = Rows.fit, set()

    def fit(self, times, *args, **options):
        if self.paths.size not in sizes:
            sizes.add(self.paths.size)
            raise ValueError("the state of row 0 is not finite; check the field.")
        return real(self, times, *args, **options)

    monkeypatch.setattr(Rows, "fit", fit)
    found = tailor(evaluations=20_000)
    assert found.evaluations <= 20_000
    lost = [drop.name for drop in found.dropped if "row 0" in drop.reason]
    assert len(lost) == len(sizes) >= 2
    assert all(name.startswith(("regression, ", "times from ")) for name in lost)
    assert found.start.startswith("regression") and found.rmse < found.start_rmse


@pytest.mark.slow
def test_fewer_finite_starts_than_tracks_are_enough():
    """A field whose velocity explodes away from its paths: most solvers diverge."""
    stiff = lambda t, x: -x * jnp.where(jnp.abs(x) > 4, jnp.inf, 1.0)
    x0 = jnp.clip(X0, -3, 3)
    good = bj.solvers.euler(steps=3, end=END)
    found = tailor(x0, stiff, starts=[good])
    assert np.isfinite(found.rmse)


@pytest.mark.slow
def test_a_schedule_of_the_six_methods_alone_is_enough():
    class Mine:
        """VP by composition, nothing of the library's base class."""

        def __call__(self, t):
            return SCHEDULE(t)

        def rates(self, t):
            return SCHEDULE.rates(t)

        def log_snr(self, t):
            return SCHEDULE.log_snr(t)

        def nsr(self, t):
            return SCHEDULE.nsr(t)

        def time_at_log_snr(self, value):
            return SCHEDULE.time_at_log_snr(value)

        def time_at_nsr(self, value):
            return SCHEDULE.time_at_nsr(value)

    ours = tailor(evaluations=20_000)
    mine = tailor(evaluations=20_000, schedule=Mine())
    assert len(mine.starts) == len(ours.starts)
    np.testing.assert_allclose(mine.rmse, ours.rmse, rtol=1e-6)


def test_candidates_are_each_there_once_and_dropped_with_a_reason():
    family = bj.families.nonstationary(4, schedule=SCHEDULE, end=END)
    found, dropped = candidates.candidates(family, SCHEDULE, 4, (0.0, END), ())
    marks = [candidates._mark(candidate.theta) for candidate in found]
    assert None not in marks and len(set(marks)) == len(marks) > 100
    methods = [candidate.method for candidate in found]
    assert {"ddim", "unipc", "rk4", "scire_v1_2m", "euler"} <= set(methods)
    # First come well-known methods on many grids: a tight budget tries those.
    assert len(set(methods[:40])) >= 5
    assert len({candidate.name.split(", ")[-1] for candidate in found[:40]}) >= 5
    assert all(re.match(r"\w+: ", drop.reason) for drop in dropped)

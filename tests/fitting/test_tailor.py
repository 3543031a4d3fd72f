"""`tailor`: what it finds, what it goes on from, what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from tailor_cases import END, FIELD, SCHEDULE, counted, dense, ends, tailor

import bespoke_jax as bj
from bespoke_jax.fitting import adjoint, gauss_newton


@pytest.fixture(scope="module")
def paths():
    return dense()


@pytest.fixture(scope="module")
def tailored(paths):
    return tailor(paths, evaluations=paths.stats.evaluations + 12_000)


def same(ours, theirs):
    for one, other in zip(ours.solver, theirs.solver, strict=True):
        np.testing.assert_array_equal(one, other)
    assert ours.rmse == theirs.rmse and ours.start == theirs.start
    np.testing.assert_array_equal(ours.history.rmse, theirs.history.rmse)
    np.testing.assert_array_equal(ours.history.evaluations, theirs.history.evaluations)


@pytest.mark.slow
def test_tailor_is_far_below_every_training_free_solver(paths, tailored):
    assert tailored.rmse < 0.5 * tailored.start_rmse
    # The last fifth of the paths chose nothing; the fifth before it chose the iterate.
    for chosen, score in ((77, tailored.rmse), (58, tailored.history.rmse[-1])):
        part = bj.paths.take(paths, slice(chosen, chosen + 19))
        x = bj.sample(FIELD, tailored.at(), part.x0)
        assert float(bj.metrics.rmse(x, part.x1)) == pytest.approx(score)
    scores = [start.score for start in tailored.starts[:3]]
    assert scores == sorted(scores)
    assert {start.method for start in tailored.starts} & {"ddim", "midpoint", "unipc"}
    assert np.all(np.diff(tailored.history.rmse) <= 0)
    assert np.all(np.diff(tailored.history.evaluations) > 0)
    assert tailored.history.evaluations[0] > paths.stats.evaluations
    # Regression is far below the race on so smooth a field; steps lower it further.
    assert len(tailored.history.rmse) > 4
    assert tailored.start.startswith("regression, ")
    raced, regressed = tailored.history.rmse[:2]
    assert tailored.history.rmse[-1] < regressed < 0.5 * raced


@pytest.mark.slow
def test_one_evaluation_more_is_never_worse(paths, tailored):
    bound = paths.stats.evaluations + 2_400
    larger = tailor(paths, nfe=4, starts=[tailored.solver], evaluations=bound)
    assert larger.evaluations <= bound
    # On the paths that chose the smaller one: adding a row changes nothing.
    assert larger.history.rmse[-1] <= tailored.history.rmse[-1] * (1 + 1e-6)


@pytest.mark.slow
def test_seconds_take_2500_evaluations_and_no_reverse_pass(paths, monkeypatch):
    """Evaluations are counted by the field as it runs, the truth being given."""
    seen = []
    monkeypatch.setattr(adjoint, "pull", None)
    found = tailor(paths, counted(seen), effort="seconds")
    jax.effects_barrier()
    assert found.evaluations - paths.stats.evaluations <= 2_500
    assert sum(seen) == found.evaluations - paths.stats.evaluations
    assert found.rmse < 0.6 * found.start_rmse
    assert found.start.startswith("regression, ")


@pytest.mark.slow
def test_the_best_takes_3700_solves_at_most(paths):
    found = tailor(paths, nfe=2)
    assert found.evaluations - paths.stats.evaluations <= 3_700 * 2
    assert found.rmse < 0.8 * found.start_rmse


@pytest.mark.slow
def test_an_interrupted_tailor_goes_on_to_the_same_solver(
    paths, tailored, tmp_path, monkeypatch
):
    bound = paths.stats.evaluations + 12_000
    real, calls = gauss_newton.normal_equations, []

    def broken(*args, **options):
        calls.append(None)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(gauss_newton, "normal_equations", broken)
    with pytest.raises(KeyboardInterrupt):
        tailor(paths, directory=tmp_path, evaluations=bound)
    assert len(calls) == 2
    monkeypatch.setattr(gauss_newton, "normal_equations", real)
    same(tailor(paths, directory=tmp_path, evaluations=bound), tailored)
    with pytest.raises(ValueError, match="holds another run"):
        tailor(paths, directory=tmp_path, evaluations=bound, judge="median")
    # A truth of the same content that took another time is the same truth.
    slower = paths._replace(stats=paths.stats._replace(seconds=99.0))
    monkeypatch.setattr(gauss_newton, "normal_equations", None)
    same(tailor(slower, directory=tmp_path, evaluations=bound), tailored)


@pytest.mark.slow
def test_end_points_alone_are_enough_for_the_steps(tailored):
    """Rows by regression need states in between: without, the race leads to steps."""
    found = tailor(ends(), evaluations=9_600 + 12_000)
    assert found.rmse < 0.5 * found.start_rmse
    assert found.start in {start.name for start in found.starts}
    assert "regressions" in {drop.name for drop in found.dropped}
    assert [d.reason for d in found.dropped if d.name == "regressions"] == [
        "the paths have end points alone; solve with dense=True"
    ]


@pytest.mark.slow
def test_a_field_that_stands_still_is_solved_by_every_start():
    """All errors are 0: nothing is to be gained, and nothing breaks."""
    still = lambda t, x: jnp.zeros_like(x)
    x0 = jax.random.normal(jax.random.key(3), (16, 2))
    found = bj.tailor(
        still, x0, nfe=2, key=jax.random.key(0), evaluations=4_000, progress=False
    )
    assert found.rmse < 1e-14
    np.testing.assert_allclose(bj.sample(still, found.at(), x0), x0, rtol=1e-13)


def told(says, *args, **options):
    """The sentence, unless the annotations of a full run come first."""
    with pytest.raises((ValueError, TypeCheckError)) as error:
        tailor(*args, **options)
    if error.type is ValueError:
        error.match(says)


def test_bad_input_is_told():
    told("judge must be one of", ends(), judge="best")
    told("effort must be one of", ends(), effort="minutes")
    told(
        "a start must have at most 3 evaluations; got 5",
        ends(), starts=[bj.solvers.euler(steps=5, end=END)],
    )  # fmt: skip
    told("paths run from 0 to 0.999, start and end", ends(), end=0.9)
    told("at least 4 paths", bj.paths.take(ends(), slice(0, 3)))
    told(
        "evaluations, or None, must be a finite number above 0", ends(), evaluations=-1
    )
    told("degree must be a whole number", ends(), degree=-1)


@pytest.mark.parametrize(
    ("f", "says"),
    [
        (lambda t, x: x * jnp.nan, "the field is not finite at t = "),
        (lambda t, x: x - x.mean(0, keepdims=True), "are not independent"),
    ],
)
def test_a_broken_field_is_told_before_anything_is_spent(f, says):
    with pytest.raises(ValueError, match=says):
        bj.tailor(f, ends(), nfe=3, end=END, key=jax.random.key(0), progress=False)


@pytest.mark.slow
def test_a_field_that_no_start_solves_is_told():
    f = lambda t, x: jnp.where(t[:, None] < 1e-9, jnp.nan, x)  # where all begin
    with pytest.raises(ValueError, match="none of .* starts solves this field"):
        bj.tailor(
            f, ends(), nfe=3, end=END, schedule=SCHEDULE, key=jax.random.key(0),
            progress=False, evaluations=20_000,
        )  # fmt: skip

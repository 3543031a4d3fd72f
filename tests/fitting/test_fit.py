"""Fitting: gains, never worse than the start, resuming bitwise, stopping, cost."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import GAUSSIAN, field, gaussian_paths

import bespoke_jax as bj
from bespoke_jax import losses
from bespoke_jax.fitting import task

SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
FIELD = field(SCHEDULE, GAUSSIAN)
PATHS = gaussian_paths(SCHEDULE, GAUSSIAN, 80, END)
FAMILY = bj.families.scale_time(2, end=END)
ADAM = optax.adam(1e-2)


def fit(**options):
    settings = {
        "key": jax.random.key(0), "optimizer": ADAM, "iterations": 100,
        "batch_size": 16, "progress": False,
    }  # fmt: skip
    return bj.fit(FAMILY, FIELD, PATHS, **{**settings, **options})


@pytest.fixture(scope="module")
def uninterrupted():
    return fit()


@pytest.mark.parametrize(
    "loss",
    [
        losses.rmse_bound,
        pytest.param(losses.lte, marks=pytest.mark.slow),
        pytest.param(losses.rmse, marks=pytest.mark.slow),
    ],
)
def test_fitting_at_least_halves_the_error(loss):
    fitted = fit(loss=loss)
    assert fitted.rmse < 0.5 * fitted.start_rmse


def error(solver, part):
    """Mean RMSE on some of PATHS."""
    paths = bj.paths.take(PATHS, part)
    x = bj.sample(FIELD, solver, paths.x0)
    return float(jnp.mean(bj.paths.rms(x - paths.x1)))


def test_scores_are_those_of_the_returned_solver_on_each_part(uninterrupted):
    """80 paths: 48 to fit on, 16 to choose by, 16 to report on."""
    fitted, base = uninterrupted, FAMILY.build(FAMILY.init())
    validation, test = slice(48, 64), slice(64, 80)
    for got, solver, part in (
        (fitted.validation_rmse, fitted.solver, validation),
        (fitted.start_validation_rmse, base, validation),
        (fitted.rmse, fitted.solver, test),
        (fitted.start_rmse, base, test),
    ):
        assert got == pytest.approx(error(solver, part), rel=1e-9)
    chex.assert_trees_all_equal(fitted.solver, FAMILY.build(fitted.theta))
    assert fitted.validation_rmse == fitted.history.rmse.min()
    assert fitted.start_validation_rmse == fitted.history.rmse[0]


def test_the_reported_paths_choose_nothing(uninterrupted):
    """Other test paths: bitwise the same fit, another reported error."""
    other = gaussian_paths(SCHEDULE, GAUSSIAN, 16, END)
    other = bj.paths.take(other, slice(0, 7))._replace(
        x1=bj.paths.take(other, slice(0, 7)).x1 + 1.0
    )
    parts = [bj.paths.take(PATHS, slice(0, 48)), bj.paths.take(PATHS, slice(48, 64))]
    fitted = bj.fit(
        FAMILY, FIELD, parts[0], validation=parts[1], test=other, optimizer=ADAM,
        key=jax.random.key(0), iterations=100, batch_size=16, progress=False,
    )  # fmt: skip
    chex.assert_trees_all_equal(fitted.theta, uninterrupted.theta)
    np.testing.assert_array_equal(fitted.history.rmse, uninterrupted.history.rmse)
    assert fitted.rmse > 0.5 > uninterrupted.rmse


def test_every_iteration_draws_its_own_batch():
    def batch_mean(family, theta, field, paths):
        return jnp.mean(paths.x0)

    fitted = fit(loss=batch_mean, iterations=4, validate_every=1)
    assert len(set(fitted.history.loss[1:])) == 4


@pytest.mark.slow
def test_never_worse_than_the_start():
    with pytest.warns(UserWarning, match="stopped"):
        fitted = fit(optimizer=optax.sgd(30.0), iterations=50)
    assert fitted.validation_rmse <= fitted.start_validation_rmse
    assert fitted.history.iteration[0] == 0


@pytest.mark.slow
def test_a_non_finite_loss_keeps_the_last_good_iterate(tmp_path):
    def breaks(family, theta, field, paths):
        broken = jnp.abs(theta["t_dot"]).max() > 0.1
        return jnp.where(
            broken, jnp.nan, losses.rmse_bound(family, theta, field, paths)
        )

    with pytest.warns(UserWarning, match="stopped at iteration"):
        fitted = fit(loss=breaks, directory=tmp_path)
    assert not fitted.state.alive
    done = int(fitted.state.iteration)
    assert 0 < done < 100
    chex.assert_tree_all_finite(fitted.theta)
    chex.assert_tree_all_finite(fitted.state.theta)
    assert fitted.rmse < fitted.start_rmse
    with pytest.warns(UserWarning, match="stopped"):  # and it was saved
        again = fit(loss=breaks, directory=tmp_path)
    chex.assert_trees_all_equal(again.theta, fitted.theta)


def test_interrupted_and_resumed_is_bitwise_the_same(
    tmp_path, uninterrupted, monkeypatch
):
    solves = []
    original = task._errors

    def interrupted(*arguments):
        solves.append(None)
        if len(solves) == 4:  # test and validation of the start, one piece, and then
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(task, "_errors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(directory=tmp_path)
    resumed = fit(directory=tmp_path)
    chex.assert_trees_all_equal(resumed.theta, uninterrupted.theta)
    chex.assert_trees_all_equal(resumed.state, uninterrupted.state)
    for name in ("iteration", "loss", "rmse"):
        np.testing.assert_array_equal(
            getattr(resumed.history, name), getattr(uninterrupted.history, name)
        )
    for name in ("rmse", "start_rmse", "validation_rmse", "start_validation_rmse"):
        assert getattr(resumed, name) == getattr(uninterrupted, name)
    # The two velocities by which a directory knows its field.
    assert resumed.evaluations == uninterrupted.evaluations + 2
    count = len(solves)
    finished = fit(directory=tmp_path)
    assert len(solves) == count  # nothing was computed again
    chex.assert_trees_all_equal(finished.theta, uninterrupted.theta)
    assert (finished.rmse, finished.evaluations) == (resumed.rmse, resumed.evaluations)


def test_another_run_in_the_same_directory_is_refused(tmp_path):
    fit(directory=tmp_path, iterations=25)
    with pytest.raises(ValueError, match="holds another run .iterations was 25, is 50"):
        fit(directory=tmp_path, iterations=50)
    with pytest.raises(ValueError, match="holds another run .key"):
        fit(directory=tmp_path, iterations=25, key=jax.random.key(7))
    with pytest.raises(ValueError, match="holds another run .optimizer"):
        fit(directory=tmp_path, iterations=25, optimizer=optax.adam(2e-2))
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ValueError, match="not readable"):
        fit(directory=tmp_path, iterations=25)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        fit(directory=tmp_path / "file")


@pytest.mark.slow
def test_other_weights_do_not_compile_again():
    chex.clear_trace_counter()
    # One to count its evaluations, one to compile.
    counted = chex.assert_max_traces(losses.lte, n=2)
    for shift in (0.0, 0.1):
        mixture = GAUSSIAN._replace(mu=GAUSSIAN.mu + shift)
        paths = gaussian_paths(SCHEDULE, mixture, 80, END)
        bj.fit(
            FAMILY, field(SCHEDULE, mixture), paths, loss=counted, optimizer=ADAM,
            key=jax.random.key(0), iterations=25, batch_size=16, progress=False,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"iterations": 0}, "iterations must be"),
        ({"batch_size": 65}, "1 .. 48"),
        ({"validation": 1.0}, "fraction"),
        ({"test": 0.0}, "test, a fraction of the paths or other Paths, must be"),
        ({"validation": 0.5, "test": 0.5}, "80 paths leave none to fit on after 40"),
        ({"validate_every": 0}, "validate_every"),
        ({"evaluations": 0}, "evaluations, or None, must be a finite number above 0"),
        ({"start": {"t": jnp.zeros(3)}}, "theta of the form"),
        ({"start": jax.tree.map(lambda z: z * jnp.nan, FAMILY.init())}, "no usable"),
    ],
)
def test_wrong_arguments_are_explained(options, words):
    with pytest.raises(ValueError, match=words):
        fit(**options)


def test_paths_of_another_interval_are_refused():
    for family in (
        bj.families.scale_time(2),
        bj.families.scale_time(2, end=END, start=0.1),
    ):
        with pytest.raises(ValueError, match="give the family the start and end"):
            bj.fit(family, FIELD, PATHS, key=jax.random.key(0), batch_size=8)


def test_a_field_that_couples_samples_is_refused():
    coupled = lambda t, x, c=None: x - jnp.mean(x, 0, keepdims=True)
    with pytest.raises(ValueError, match="not independent"):
        bj.fit(FAMILY, coupled, PATHS, key=jax.random.key(0), batch_size=8)


# A start that diverges.

FREE = bj.families.nonstationary(2, schedule=SCHEDULE, end=END)


def guarded(t, x, c=None):
    """A field that is nan far from its data."""
    return jnp.where(jnp.abs(x) < 1e6, FIELD(t, x), jnp.nan)


def explosive(row=2):
    """A start of finite numbers: inf in the norm, or nan from `guarded` (row 0)."""
    theta = FREE.init()
    return {**theta, "b": theta["b"].at[row].set(1e200)}


@pytest.mark.slow
@pytest.mark.parametrize(("row", "score"), [(2, np.inf), (0, np.nan)])
def test_a_start_with_a_bad_score_is_never_mixed_up_with_an_iterate(row, score):
    """Its optimiser jumps to the solver that is known to be good."""
    good, bad = FREE.init(), explosive(row)
    jump = optax.GradientTransformation(
        lambda params: optax.EmptyState(),
        lambda updates, state, params=None: (
            jax.tree.map(lambda a, b: a - b, good, params),
            state,
        ),
    )
    harmless = lambda family, theta, field, paths: jnp.sum(theta["a"])
    fitted = bj.fit(
        FREE, guarded, PATHS, start=bad, loss=harmless, optimizer=jump, iterations=2,
        validate_every=1, batch_size=4, key=jax.random.key(0), progress=False,
    )  # fmt: skip
    np.testing.assert_equal(fitted.start_rmse, score)
    np.testing.assert_equal(fitted.start_validation_rmse, score)
    assert fitted.validation_rmse == np.nanmin(fitted.history.rmse)
    chosen = error(fitted.solver, slice(48, 64))
    assert fitted.validation_rmse == pytest.approx(chosen, rel=1e-9)
    assert fitted.rmse == pytest.approx(error(fitted.solver, slice(64, 80)), rel=1e-9)


@pytest.mark.slow
def test_no_finite_score_at_all_is_told():
    with pytest.raises(ValueError, match="neither the start nor any of 0 iterations"):
        bj.fit(
            FREE, FIELD, PATHS, start=explosive(), loss=losses.mse, iterations=5,
            batch_size=4, key=jax.random.key(0), progress=False,
        )  # fmt: skip

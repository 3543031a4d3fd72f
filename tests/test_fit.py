"""Fitting: gains, never worse than the start, resuming bitwise, stopping, cost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import GAUSSIAN, field, gaussian_paths

import bespoke_jax as bj
from bespoke_jax import losses

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
    held_out = bj.paths.take(PATHS, slice(64, None))
    x = bj.sample(FIELD, fitted.solver, held_out.x0)
    error = float(jnp.mean(bj.paths.rms(x - held_out.x1)))
    assert error == pytest.approx(fitted.rmse, rel=1e-9)


def test_every_iteration_draws_its_own_batch():
    def batch_mean(family, theta, field, paths):
        return jnp.mean(paths.x0)

    fitted = fit(loss=batch_mean, iterations=4, validate_every=1)
    assert len(set(fitted.history.loss[1:])) == 4


@pytest.mark.slow
def test_never_worse_than_the_start():
    with pytest.warns(UserWarning, match="stopped"):
        fitted = fit(optimizer=optax.sgd(30.0), iterations=50)
    assert fitted.rmse <= fitted.start_rmse
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
    validations = []
    module = sys.modules["bespoke_jax.fit"]  # `bj.fit` is the function
    original = module._validation_rmse  # pyright: ignore[reportAttributeAccessIssue]

    def interrupted(*arguments):
        validations.append(None)
        if len(validations) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(module, "_validation_rmse", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(directory=tmp_path)
    resumed = fit(directory=tmp_path)
    chex.assert_trees_all_equal(resumed.theta, uninterrupted.theta)
    chex.assert_trees_all_equal(resumed.state, uninterrupted.state)
    for name in ("iteration", "loss", "rmse", "evaluations"):
        np.testing.assert_array_equal(
            getattr(resumed.history, name), getattr(uninterrupted.history, name)
        )
    count = len(validations)
    finished = fit(directory=tmp_path)
    assert len(validations) == count  # nothing was computed again
    chex.assert_trees_all_equal(finished.theta, uninterrupted.theta)


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
def test_cost_is_three_passes_a_row():
    fitted = fit(iterations=30)
    assert list(fitted.history.iteration) == [0, 25, 30]
    assert list(fitted.history.evaluations) == [0, 25 * 3 * 16 * 4, 30 * 3 * 16 * 4]


def test_other_weights_do_not_compile_again():
    chex.clear_trace_counter()
    counted = chex.assert_max_traces(losses.lte, n=1)
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
        ({"batch_size": 65}, "1 .. 64"),
        ({"validation": 1.0}, "fraction"),
        ({"validate_every": 0}, "validate_every"),
    ],
)
def test_wrong_arguments_are_explained(options, words):
    with pytest.raises(ValueError, match=words):
        fit(**options)


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import test_fit
fitted = test_fit.fit(directory=sys.argv[1], iterations=400, save_seconds=0.0)
import numpy as np
np.savez(sys.argv[2], *__import__("jax").tree.leaves(fitted.theta))
"""


@pytest.mark.slow
def test_kill_minus_nine_and_the_same_command_again(tmp_path):
    tests = str(Path(__file__).parent)
    environment = {**os.environ, "JAX_ENABLE_X64": "1"}
    start = lambda directory, out: subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(tests=tests), directory, out],
        env=environment,
    )
    whole = start(str(tmp_path / "a"), str(tmp_path / "a.npz"))
    assert whole.wait() == 0
    killed = start(str(tmp_path / "b"), str(tmp_path / "b.npz"))
    checkpoints = tmp_path / "b" / "checkpoints"
    saved = lambda: [p for p in checkpoints.glob("*") if p.name.isdigit()]
    while killed.poll() is None and not saved():
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, "it finished before it could be killed"
    assert not (tmp_path / "b.npz").exists()
    assert start(str(tmp_path / "b"), str(tmp_path / "b.npz")).wait() == 0
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert a.files == b.files
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name])

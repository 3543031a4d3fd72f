"""Fits that are killed, moved and given their paths anew: the identical result."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from kill import killed_until_done
from oracles import GAUSSIAN, field
from process import environment

import bespoke_jax as bj
from bespoke_jax.fitting import descent

KILLS = int(os.environ.get("BESPOKE_KILLS", "8"))
SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
FIELD = field(SCHEDULE, GAUSSIAN)
FAMILY = bj.families.scale_time(2, end=END)


@cache
def truth():
    """The ground truth of the fits in this process."""
    return solved(jax.random.normal(jax.random.key(3), (40, 2)))


def solved(x0, u=FIELD):
    return bj.reference.solve(u, x0, end=END, progress=False)


def fit(directory, paths=None, **options):
    settings = {
        "key": jax.random.key(0), "optimizer": optax.adam(1e-2), "iterations": 50,
        "batch_size": 8, "validate_every": 10, "progress": False,
    }  # fmt: skip
    paths = truth() if paths is None else paths
    return bj.fit(FAMILY, FIELD, paths, directory=directory, **{**settings, **options})


def numbers(fitted):
    """All of a fit but its seconds."""
    history = fitted.history._replace(seconds=None)
    leaves = jax.tree.leaves(fitted._replace(history=history, family=None))
    return [leaf for leaf in leaves if not isinstance(leaf, str)]


@pytest.mark.slow
def test_the_same_noises_are_the_same_run_however_exact_their_ends(tmp_path):
    """Solved again elsewhere, the last digits of the truth are others."""
    paths = truth()
    fitted = fit(tmp_path, paths)
    jitter = 1 + 1e-6 * jax.random.normal(jax.random.key(0), paths.x1.shape)
    again = fit(tmp_path, paths._replace(x1=paths.x1 * jitter))
    chex.assert_trees_all_equal(numbers(again), numbers(fitted))


@pytest.mark.slow
def test_a_fit_that_time_cut_short_goes_on(tmp_path, monkeypatch):
    """To the same last state; its scores are those of what it returns."""
    paths, whole = truth(), fit(None)
    left = iter([1, 7, 0])  # iterations that time allows
    with monkeypatch.context() as patch:
        patch.setattr(descent._Clock, "fits", lambda clock, scores: next(left))
        cut = fit(tmp_path, paths, seconds=1e6)
    assert int(cut.state.iteration) == 8
    rest = fit(tmp_path, paths)
    chex.assert_trees_all_equal(rest.state, whole.state)
    assert rest.validation_rmse < cut.validation_rmse
    test = bj.paths.take(paths, slice(32, None))
    x = bj.sample(FIELD, rest.solver, test.x0)
    error = float(jnp.mean(bj.paths.rms(x - test.x1)))
    assert rest.rmse == pytest.approx(error, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda p: p._replace(x0=p.x0.at[0, 0].add(1e-12)), "training"),
        (lambda p: p._replace(x0=p.x0.at[-1, 0].add(1e-12)), "test"),
        (lambda p: p._replace(x1=p.x1 * 1.02), "training"),
        (lambda p: p._replace(c=jnp.zeros(40)), "training"),
    ],
)
def test_other_paths_are_another_run(tmp_path, change, word):
    paths = truth()
    fit(tmp_path, paths, iterations=10)
    with pytest.raises(ValueError, match=f"holds another run .*{word}"):
        bj.fit(
            FAMILY, lambda t, x, c=None: FIELD(t, x), change(paths),
            directory=tmp_path, key=jax.random.key(0), optimizer=optax.adam(1e-2),
            iterations=10, batch_size=8, validate_every=10, progress=False,
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"start": FAMILY.build({**FAMILY.init(), "s": jnp.full(4, 0.1)})}, "start"),
        ({"loss": bj.losses.lte}, "loss"),
        ({"validation": 0.3}, "training"),
        ({"evaluations": 10**9}, "evaluations"),
        ({"key": jax.random.key(0, impl="rbg")}, "key"),
    ],
)
def test_other_options_are_another_run(tmp_path, options, word):
    paths = truth()
    fit(tmp_path, paths, iterations=10)
    with pytest.raises(ValueError, match=f"holds another run .{word}"):
        fit(tmp_path, paths, **{"iterations": 10, **options})


@pytest.mark.slow
def test_another_field_is_another_run(tmp_path):
    paths = truth()
    fit(tmp_path, paths, iterations=10)
    for other in (lambda t, x: 1.02 * FIELD(t, x), lambda t, x: -FIELD(t, x)):
        with pytest.raises(ValueError, match="holds another run .field"):
            bj.fit(
                FAMILY, other, paths, directory=tmp_path, key=jax.random.key(0),
                optimizer=optax.adam(1e-2), iterations=10, batch_size=8,
                validate_every=10, progress=False,
            )  # fmt: skip


# In processes of their own.

SCRIPT = """
import sys
import jax
import numpy as np
sys.path[:0] = {folders!r}
jax.config.update("jax_compilation_cache_dir", {cache!r})
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
import test_fit_resume as t
x0 = jax.random.normal(jax.random.key(3), (40, 2))
if len(jax.devices()) > 1:
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("batch",))
    spec = jax.sharding.PartitionSpec("batch")
    x0 = jax.device_put(x0, jax.sharding.NamedSharding(mesh, spec))
iterations = int(sys.argv[3])
fitted = t.fit(sys.argv[1], t.solved(x0), iterations=iterations, save_seconds=0.0)
np.savez(sys.argv[2], *map(np.asarray, t.numbers(fitted)))
"""
HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]


def command(directory, out, iterations):
    script = SCRIPT.format(
        folders=[str(HERE), str(ROOT / "tests" / "helpers"), str(ROOT)],
        cache=str(ROOT / ".cache" / "jax"),
    )
    return [sys.executable, "-c", script, str(directory), str(out), str(iterations)]


def run(directory, out, iterations, devices=1):
    subprocess.run(
        command(directory, out, iterations),
        env=environment(devices, JAX_ENABLE_X64="1"),
        check=True,
    )
    return loaded(out)


def loaded(out):
    with np.load(out) as file:
        return [file[name] for name in file.files]


@pytest.mark.slow
def test_kills_at_random_moments_change_no_bit(tmp_path):
    iterations = 250 * KILLS  # long enough to be killed so often
    whole = run(tmp_path / "a", tmp_path / "a.npz", iterations)
    settings = tmp_path / "b" / "settings.json"
    kills = killed_until_done(
        command(tmp_path / "b", tmp_path / "b.npz", iterations),
        environment(JAX_ENABLE_X64="1"),
        np.random.default_rng(0),
        KILLS,
        ready=settings.exists,
        within=8.0,
    )
    assert kills == KILLS, "it finished before it could be killed; make it longer"
    chex.assert_trees_all_equal(loaded(tmp_path / "b.npz"), whole)


@pytest.mark.slow
def test_four_devices_and_then_one_are_one_run(tmp_path):
    four = run(tmp_path / "a", tmp_path / "four.npz", 60, devices=4)
    one = run(tmp_path / "a", tmp_path / "one.npz", 60)
    chex.assert_trees_all_equal(one, four)

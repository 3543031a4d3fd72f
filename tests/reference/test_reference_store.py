"""Runs that resume: the same call in another process, killed anywhere, any devices."""

import json
import random
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from process import environment

from bespoke_jax.cards.checkpoint import Checkpoints
from bespoke_jax.core.fingerprint import fingerprint

SCRIPT = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import bespoke_jax as bj
x0 = jax.random.normal(jax.random.key(0), (24, 2))
if jax.device_count() > 1:
    mesh = Mesh(np.array(jax.devices()), ("batch",))
    x0 = jax.device_put(x0, NamedSharding(mesh, PartitionSpec("batch")))
field = lambda t, x: -x * (1 + t)[:, None]
print("ready", flush=True)
paths = bj.reference.solve(field, x0, batch_size=4, progress=False,
                           dense=bool(int(sys.argv[2])), directory=sys.argv[1] or None)
if len(sys.argv) > 3:
    np.savez(sys.argv[3], x1=paths.x1, spent=paths.stats.evaluations,
             end=paths.certificate.endpoint)
"""


def _run(directory, *, dense=0, out=None, devices=1, kill_after=None):
    """The script in a process of its own; killed after so many seconds of solving."""
    command = [sys.executable, "-c", SCRIPT, str(directory or ""), str(dense)]
    command += [] if out is None else [str(out)]
    process = subprocess.Popen(
        command, env=environment(devices), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    if kill_after is not None:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return {}
    _, errors = process.communicate()
    assert process.returncode == 0, errors[-3000:]
    return {} if out is None else dict(np.load(out))


@pytest.mark.slow
def test_killed_anywhere_it_ends_where_it_would_have(tmp_path):
    began = time.perf_counter()
    want = _run(None, out=tmp_path / "want.npz")
    whole = time.perf_counter() - began
    draw = random.Random(0)
    for _ in range(6):
        _run(tmp_path / "run", kill_after=draw.uniform(0, whole))
    got = _run(tmp_path / "run", out=tmp_path / "got.npz")
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])


@pytest.mark.slow
def test_four_devices_then_one(tmp_path):
    many = _run(tmp_path / "run", out=tmp_path / "many.npz", devices=4)
    saved = sorted((tmp_path / "run" / "checkpoints").glob("[0-9]*"))
    # Half of the batches are lost, and solved again on one device.
    for step in saved[len(saved) // 2 :]:
        subprocess.run(["rm", "-r", str(step)], check=True)
    one = _run(tmp_path / "run", out=tmp_path / "one.npz", devices=1)
    np.testing.assert_allclose(one["x1"], many["x1"], rtol=1e-6)
    kept = 4 * (len(saved) // 2 - 1)
    np.testing.assert_array_equal(one["x1"][:kept], many["x1"][:kept])


@pytest.mark.slow
def test_a_kill_while_orbax_writes_leaves_the_steps_before(tmp_path):
    """A child writes without end and is killed at random moments."""
    child = """
import sys, numpy as np
from pathlib import Path
from bespoke_jax.cards.checkpoint import Checkpoints
store = Checkpoints(Path(sys.argv[1]), {"run": 1}, keep=None)
print("ready", flush=True)
for step in range(10_000):
    store.cached(step, lambda: [np.full((50, 50), step), np.full(3, 2 * step)])
"""
    draw, steps = random.Random(1), 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", child, str(tmp_path)], env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.05, 0.6))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        store = Checkpoints(tmp_path, {"run": 1}, keep=None)
        found = len(list((tmp_path / "checkpoints").glob("[0-9]*")))
        refuse = lambda: pytest.fail("was saved")
        for step in range(steps):
            first, second = store.cached(step, refuse)
            assert first.shape == (50, 50) and (first == step).all()
            assert (second == 2 * step).all()
        steps = max(steps, found - 1)
        store.close()


def test_settings_are_inputs_and_measurements(tmp_path):
    settings = {"rtol": 1e-5, "end": 0.999, "name": "a", "field": np.array([1.0, -2.0])}
    open_with = lambda **changes: Checkpoints(tmp_path, settings | changes, keep=None)
    store = open_with()
    store.cached(0, lambda: [np.ones(2)])
    store.close()
    open_with(field=np.array([1.0004, -2.0004])).close()  # the same, measured again
    for changes, words in [
        ({"rtol": 1.0001e-5}, "rtol was 1e-05, is 1.0001e-05"),
        ({"end": 0.9999}, "end was"),
        ({"name": "b"}, "name was a, is b"),
        ({"field": np.array([1.01, -2.0])}, "field was"),
        ({"field": np.array([1.0])}, "field was"),
    ]:
        with pytest.raises(ValueError, match=words):
            open_with(**changes)


def test_a_directory_without_a_finished_step_starts_afresh(tmp_path):
    Checkpoints(tmp_path, {"run": 1}, keep=None).close()
    store = Checkpoints(tmp_path, {"run": 2}, keep=None)  # nothing was lost by that
    store.cached(0, lambda: [np.ones(2)])
    store.close()
    (tmp_path / "settings.partial").write_text("{ half")
    Checkpoints(tmp_path, {"run": 2}, keep=None).close()
    assert json.loads((tmp_path / "settings.json").read_text()) == {"run": 2}
    with pytest.raises(ValueError, match="holds another run"):
        Checkpoints(tmp_path, {"run": 1}, keep=None)


def test_fingerprints_are_of_content():
    x = np.arange(6.0)
    assert fingerprint(x) == fingerprint(jnp.asarray(x))
    assert fingerprint(x) != fingerprint(x.astype(np.float32))
    assert fingerprint(x) != fingerprint(x.reshape(2, 3))
    key = jax.random.key(3)
    assert fingerprint(key) == fingerprint(jax.random.key_data(key))

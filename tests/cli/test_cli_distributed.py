"""`--distributed`: two processes of two devices each, over loopback."""

import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from card_cases import one_card, told
from process import BESPOKE, environment, model_file, python

from bespoke_jax.cli import processes

WATCHED = """
import sys
import jax
from jax.experimental import multihost_utils
from bespoke_jax.cli import main
from bespoke_jax.core import fingerprint
fingerprint._ROWS = 8
gather, seen = multihost_utils.process_allgather, []
def watched(x, tiled):
    seen.append(x.shape)
    return gather(x, tiled=tiled)
multihost_utils.process_allgather = watched
assert main(sys.argv[1:]) == 0
# Errors and products of samples, and states of pilots; never all states.
assert seen and all(shape[-1] != 7 or shape[0] <= 8 for shape in seen), seen
"""
TAILOR = (
    "tailor --model m.py:load --nfe 2 --paths 32 --evaluations 3200 --effort seconds "
    "--no-progress"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "m.py").write_text(model_file(7))
    return folder


def started(folder, words, code=BESPOKE):
    """Both processes of one command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        subprocess.Popen(
            [sys.executable, "-c", code, *words, "--distributed", f"{place},2,{i}"],
            cwd=folder, env=environment(devices=2), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for i in range(2)
    ]  # fmt: skip


def finished(folder, words, code=BESPOKE):
    """What each of two processes prints."""
    each = [
        (process, *process.communicate()) for process in started(folder, words, code)
    ]
    for process, _, errors in each:
        assert process.returncode == 0, errors[-3000:]
    return [out for _, out, _ in each]


@pytest.mark.slow
def test_samples_are_those_of_one_process_and_are_written_once(folder):
    line = "sample midpoint --nfe 4 --model m.py:load --n 12 --no-progress"
    python(BESPOKE, *line.split(), "--out", "one.npz", cwd=folder)
    first, second = finished(folder, [*line.split(), "--out", "two.npz"])
    assert "Wrote" in first and "Wrote" not in second
    one, two = (np.load(folder / f"{name}.npz") for name in ("one", "two"))
    np.testing.assert_array_equal(one["noise"], two["noise"])
    np.testing.assert_allclose(two["samples"], one["samples"], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_killed_process_and_a_restart_of_all_end_in_the_same_solver(folder):
    words = TAILOR.split()
    finished(folder, [*words, "--out", "whole.json"], WATCHED)
    again = [*words, "--out", "killed.json", "--directory", "run"]
    rng = np.random.default_rng(0)
    for number, part in enumerate(("ground-truth-steps", "tailor")):
        pair = started(folder, again)
        steps = folder / "run" / part / "checkpoints"
        while not list(steps.glob("[0-9]*")) and pair[0].poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        for process in (pair[number], pair[1 - number]):  # one, then what is left
            process.send_signal(signal.SIGKILL)
            process.communicate()
    finished(folder, again)
    assert told(folder / "killed.json") == told(folder / "whole.json")


@pytest.mark.slow
def test_two_processes_find_the_solver_of_one(folder):
    words = TAILOR.split()
    finished(folder, [*words, "--out", "two.json"])
    python(BESPOKE, *words, "--out", "one.json", cwd=folder)
    one, two = (one_card(folder / f"{name}.json") for name in ("one", "two"))
    np.testing.assert_allclose(two.rmse, one.rmse, rtol=1e-3)
    for ours, theirs in zip(two.solver, one.solver, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)


@pytest.mark.parametrize("words", ["two", "host,2,0", "host:1,2,2", "host:1,2"])
def test_what_is_no_place_is_said(words):
    with pytest.raises(ValueError, match="COUNT, such as"):
        processes.join(words)


def test_auto_without_a_cluster_says_what_to_give(monkeypatch):
    def unknown():
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", unknown)
    with pytest.raises(ValueError, match="give HOST:PORT,COUNT,NUMBER"):
        processes.join("auto")

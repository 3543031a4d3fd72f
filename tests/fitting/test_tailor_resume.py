"""`bespoke tailor --directory`: killed, repeated, moved to other devices."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from card_cases import one_card, told
from kill import killed_until_done
from process import BESPOKE, environment, model_file, python

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("BESPOKE_KILLS", "5"))
DEVICES = """
import sys
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import bespoke_jax as bj
sys.path.insert(0, ".")
import m
x0 = jax.random.normal(jax.random.key(0), (32, 2))
if len(jax.devices()) > 1:
    mesh = Mesh(np.array(jax.devices()), ("data",))
    x0 = jax.device_put(x0, NamedSharding(mesh, PartitionSpec("data")))
found = bj.tailor(
    m.load().field, x0, nfe=2, key=jax.random.key(1), evaluations=9000,
    directory="devices", progress=False,
)
bj.card.save(sys.argv[1], found.solver, rmse=found.rmse, judge=found.judge)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tailor")
    (folder / "m.py").write_text(model_file(2))
    return folder


def words(folder, name):
    line = "tailor --nfe 3 --paths 40 --evaluations 40000 --no-progress"
    place = {"--model": "m.py:load", "--directory": name, "--out": f"{name}.json"}
    pairs = [(flag, str(folder / where)) for flag, where in place.items()]
    return [*line.split(), *(word for pair in pairs for word in pair)]


@pytest.mark.slow
def test_a_killed_search_ends_in_the_uninterrupted_result(folder):
    python(BESPOKE, *words(folder, "whole"), cwd=folder)
    rng = np.random.default_rng(0)
    argv = [sys.executable, "-c", BESPOKE, *words(folder, "killed")]
    killed_until_done(
        argv, environment(), rng, KILLS, ready=(folder / "killed").exists, within=3.0
    )
    assert told(folder / "killed.json") == told(folder / "whole.json")


@pytest.mark.slow
def test_the_same_call_answers_at_once_in_a_new_process_and_on_other_devices(folder):
    first = python(DEVICES, "four.json", cwd=folder, devices=4)
    again = python(DEVICES, "one.json", cwd=folder)
    assert first == again == ""
    four, one = (one_card(folder / f"{n}.json") for n in ("four", "one"))
    assert four.rmse == one.rmse
    for ours, theirs in zip(four.solver, one.solver, strict=True):
        np.testing.assert_array_equal(ours, theirs)

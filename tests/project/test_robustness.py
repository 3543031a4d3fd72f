"""Wrong inputs to every command and public function: one sentence, nothing lost."""

import subprocess
import sys
from pathlib import Path

import fuzz_calls
import pytest
from process import environment

import bespoke_jax as bj

ROOT = Path(__file__).parents[2]
SEEDS = 520
HELPERS = {"check_paths", "require_dense", "rms", "rows", "on_host"}
"""Of the library's own modules, on values that they have checked."""


@pytest.mark.slow
def test_wrong_inputs_are_answered_by_one_sentence():
    # Without the tests' strict settings and annotation checks, as a user runs it.
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "helpers" / "fuzz.py"), "0", str(SEEDS)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith(f"{SEEDS} seeds, 0 badly answered\n"), (
        done.stdout + done.stderr[-2000:]
    )


@pytest.mark.slow
def test_the_generator_covers_the_public_functions():
    tried = {call[0] for call in fuzz_calls.calls().values()}
    missing = []
    for module in (bj, bj.fields, bj.families, bj.grids, bj.losses, bj.metrics,
                   bj.paths, bj.reference, bj.schedules, bj.solvers):  # fmt: skip
        for name in getattr(module, "__all__", dir(module)):
            value = getattr(module, name)
            ours = getattr(value, "__module__", "").startswith("bespoke_jax")
            if (
                ours
                and name[0] != "_"
                and callable(value)
                and not isinstance(value, type)
            ):
                missing += [name] * (value not in tried and name not in HELPERS)
    assert not missing

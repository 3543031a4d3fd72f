"""The command line answers without JAX where nothing is computed."""

import subprocess
import sys
from pathlib import Path

import pytest
from card_cases import card_set, guided_solver
from process import environment

from bespoke_jax import card, solvers
from bespoke_jax._version import __version__

ROOT = Path(__file__).parents[2]
HEAVY = ("jax", "flax", "diffrax", "optax", "orbax", "matplotlib", "scipy")
_CODE = f"""
import sys
from bespoke_jax.cli import main
code = main(sys.argv[1:])
print("imported:", *[name for name in {HEAVY} if name in sys.modules])
sys.exit(code)
"""


def answer(*words, folder):
    """(exit code, stdout without its last line, stderr, heavy modules imported)."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(),
    )
    *lines, last = done.stdout.splitlines()
    return done.returncode, "\n".join(lines), done.stderr, last.split()[1:]


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("--help", 0, "certify"),
        ("--version", 0, f"bespoke_jax {__version__}"),
        ("tailor --help", 0, "--evaluations"),
        ("list", 0, "dpm_solver_pp_2m"),
        ("show good.json", 0, "digits FM-OT"),
        ("show set.json", 0, "Add --nfe"),
        ("show set.json --nfe 2", 0, "a solver for each"),
        ("show set.json --nfe 2 --condition 1.7", 0, "x_{i+1} ="),
        ("show set.json --nfe 4", 2, "has 1, 2 NFE, not --nfe 4"),
        ("tailor --improve set.json", 2, "solvers that depend on a number"),
        ("show bad.json", 2, "bad.json: expected JSON"),
        ("sohw good.json", 2, "no command 'sohw'; the nearest is show"),
        ("demo --nef 8", 2, "no flag --nef; the nearest is --nfe"),
        ("demo --nfe x", 2, "Could not find valid parse for arguments: ['x']"),
        ("demo --nfe 0", 2, "--nfe must be at least 1; got 0"),
        ("fit --base midpont", 2, "no base 'midpont'; the nearest is midpoint"),
        ("fit --nfe 7", 2, "got 7, the nearest is 6 or 8"),
        ("certify euler --schedule VQ", 2, "no schedule 'VQ'; the nearest is VP"),
    ],
)
def test_no_heavy_import_where_nothing_is_computed(line, code, says, tmp_path):
    schedule = {"name": "VP", "beta_min": 0.1, "beta_max": 20.0}
    solver, about = solvers.euler(nfe=3), {"model": "digits FM-OT", "rmse": 0.5}
    card.save(tmp_path / "good.json", solver, schedule=schedule, **about)
    card.save(tmp_path / "set.json", card_set(guided_solver(1), guided_solver(2)))
    (tmp_path / "bad.json").write_text("{")
    got, out, err, imported = answer(*line.split(), folder=tmp_path)
    assert got == code and says in (out if code == 0 else err)
    assert imported == []


@pytest.mark.slow
def test_what_computes_imports_jax(tmp_path):
    """The test above would see it."""
    line = "sample euler --nfe 2 --n 2 --model fm_ot --no-progress"
    code, _, _, imported = answer(*line.split(), folder=tmp_path)
    assert code == 0 and "jax" in imported

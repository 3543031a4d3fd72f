"""Rules of imports: an underscore is for one file only, and cards need no JAX."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "bespoke_jax"
MODULES = [p for p in PACKAGE.rglob("*.py") if p.name != "_version.py"]
ROOMS = sorted({p.relative_to(PACKAGE).parts[0] for p in MODULES})


def test_modules_have_plain_names():
    named = [p.relative_to(ROOT) for p in MODULES if p.name != "__init__.py"]
    assert [str(path) for path in named if path.name.startswith("_")] == []


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_imports_a_private_name_of_another(room):
    found = []
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] != room:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            if (node.module or "").startswith("bespoke_jax"):
                private = [a.name for a in node.names if a.name.startswith("_")]
                found += [f"{path.name}: {name}" for name in private if name[1] != "_"]
    assert found == []


@pytest.mark.parametrize(
    "module",
    ["cards.card", "cli.names", "cli.ranges", "cli.show", "cli.tailor",
     "core.conditional", "solvers.registry"],
)  # fmt: skip
def test_cards_are_read_and_solvers_listed_without_importing_jax(module):
    code = f"import sys, bespoke_jax.{module}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0

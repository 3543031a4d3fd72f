"""The README is executable: its code runs, its commands are the ones CI runs."""

import re
from pathlib import Path

import pytest

from bespoke_jax.cli import COMMANDS
from experiments import solvers_table

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", TEXT, re.S))
def test_code_blocks_run(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


def test_the_test_command_is_what_ci_runs():
    command = "pip install -q uv && uv run pytest"
    assert f"```sh\n{command}\n```" in TEXT
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_commands_exist():
    for command in re.findall(r"bespoke (\w+) --", TEXT):
        assert command in COMMANDS
    assert "uv run bespoke demo\n" in TEXT


def test_links_and_figures_exist():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        assert (ROOT / target.split("#")[0]).exists(), target


def test_table_of_solvers_is_that_of_the_code():
    """Rewrite it with `uv run python -m experiments.solvers_table`."""
    table = "\n".join(solvers_table.lines())
    assert f"<!-- solvers: begin -->\n{table}\n<!-- solvers: end -->" in TEXT

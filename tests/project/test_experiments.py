"""What the experiments' pages claim about themselves, and the tools they share."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import harness

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "experiments").glob("*/README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.parent.name)
def test_commands_links_and_figures_of_a_page_exist(page):
    text = page.read_text()
    commands = re.findall(r"python -m ([\w.]+)", text)
    assert commands
    for command in commands:
        module = ROOT / command.replace(".", "/")
        runs = (module.with_suffix(".py"), module / "__main__.py")
        assert any(file.exists() for file in runs), command
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", text):
        assert (page.parent / target.split("#")[0]).exists(), target
    for name in re.findall(r"<!-- (\w+): begin -->", text):
        block = text.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end")[0]
        assert block.strip(), f"{name} has not been run"


def test_results_are_computed_once_and_survive_a_restart(tmp_path):
    path, calls = tmp_path / "deeper" / "rows.json", []

    def compute():
        calls.append(None)
        return {"rmse": 0.5}

    harness.Results(path, {"seed": 0}).once({"nfe": 4}, compute)
    again = harness.Results(path, {"seed": 0})
    assert again.once({"nfe": 4}, compute)["rmse"] == 0.5 and len(calls) == 1
    again.once({"nfe": 8}, compute)
    assert harness.Results(path, {"seed": 0}).get(nfe=8)["rmse"] == 0.5
    # Figures of other settings are not mixed with these.
    assert harness.Results(path, {"seed": 1}).rows == []
    assert len(json.loads(path.read_text())["rows"]) == 2


def test_a_failed_row_loses_none_before_it(tmp_path):
    results = harness.Results(tmp_path / "rows.json", {})
    results.once({"n": 1}, lambda: {"value": np.pi})
    with pytest.raises(ZeroDivisionError):
        results.once({"n": 2}, lambda: {"value": 1 / 0})
    assert [row["n"] for row in harness.Results(results.path, {}).rows] == [1]


def test_a_block_is_replaced_and_the_page_around_it_kept(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n")
    for _ in range(2):
        harness.write_block(page, "a", ["new", "lines"])
    assert page.read_text() == (
        "before\n<!-- a: begin -->\nnew\nlines\n<!-- a: end -->\nafter\n"
    )


def test_tables_have_three_digits_and_dashes():
    lines = harness.table("RMSE", (4, 8), [("euler", [0.123456, None])])
    assert lines == ["| RMSE | 4 | 8 |", "|---|---|---|", "| euler | 0.123 | - |"]

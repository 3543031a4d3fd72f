"""The studies of `experiments`: their pages and commands, and the tools they share."""

import ast
import json
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import bespoke_jax as bj
from experiments import harness
from experiments.harness import pages

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
PAGES = sorted(EXPERIMENTS.rglob("README.md"))
STUDIES = sorted(path.parent for path in EXPERIMENTS.rglob("page.py"))
TITLE = lambda path: ".".join(path.relative_to(EXPERIMENTS).parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: TITLE(p.parent))
def test_commands_links_and_figures_of_a_page_exist(page):
    text = page.read_text()
    for command in re.findall(r"python -m ([\w.]+)", text):
        module = ROOT / command.replace(".", "/")
        runs = (module.with_suffix(".py"), module / "__main__.py")
        assert any(file.exists() for file in runs), command
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", text):
        assert (page.parent / target.split("#")[0]).exists(), target
    for name in re.findall(r"<!-- (\w+): begin -->", text):
        block = text.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end")[0]
        assert block.strip(), f"{name} has not been run"


@pytest.mark.parametrize("study", STUDIES, ids=TITLE)
def test_a_study_has_a_page_with_its_command_and_is_in_the_index(study):
    package = f"experiments.{TITLE(study)}"
    assert {file.name for file in study.glob("*.py")} >= {"measure.py", "__main__.py"}
    assert f"python -m {package}" in (study / "README.md").read_text()
    page = import_module(f"{package}.page")
    assert callable(page.write) and page.Config() == page.Config()
    if study.parent != EXPERIMENTS:
        index = (study.parent / "README.md").read_text()
        assert f"({study.name}/README.md)" in index


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=TITLE)
def test_a_page_is_what_its_results_say(study, monkeypatch):
    if not list(study.rglob("results*/*.json")) + list(study.glob("results.json")):
        pytest.skip("draws a picture of a page and has no results of its own")
    page = import_module(f"experiments.{TITLE(study)}.page")
    written = {}

    def compare(folder, name, lines, *, page=pages.PAGE):
        text = (folder / page).read_text()
        block = text.split(f"<!-- {name}: begin -->\n")[1]
        written[name] = block.split(f"\n<!-- {name}: end -->")[0], "\n".join(lines)

    monkeypatch.setattr(pages, "write", compare)
    from experiments.harness import figures

    monkeypatch.setattr(figures, "save", lambda figure, path: figure.canvas.draw())
    page.write(page.Config())
    assert written
    for name, (there, now) in written.items():
        assert there == now, f"{name} is not what `--page-only` writes"


def test_only_the_harness_knows_matplotlib_and_json():
    for file in EXPERIMENTS.rglob("*.py"):
        found = {
            alias.name if isinstance(node, ast.Import) else node.module
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        roots = {name.split(".")[0] for name in found if name}
        where = TITLE(file)
        assert "matplotlib" not in roots or where == "harness.figures.py", where
        # Training keeps a curve inside the archive of an unfinished model.
        known = ("harness.results.py", "digits.train.py")
        assert "json" not in roots or where in known, where


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
    with pytest.raises(KeyError, match="measure it first"):
        again.get(nfe=16)


def test_a_failed_row_loses_none_before_it(tmp_path):
    results = harness.Results(tmp_path / "rows.json", {})
    results.once({"n": 1}, lambda: {"value": np.pi})
    with pytest.raises(ZeroDivisionError):
        results.once({"n": 2}, lambda: {"value": 1 / 0})
    assert [row["n"] for row in harness.Results(results.path, {}).rows] == [1]


def test_hardware_is_that_of_the_measurement(tmp_path, monkeypatch):
    results = harness.Results(tmp_path / "rows.json", {})
    results.once({"n": 1}, dict)
    measured = results.machine
    monkeypatch.setattr(
        "experiments.harness.results.machine", lambda: "another machine"
    )
    stored = harness.Results(results.path, {})
    assert stored.machine == measured != "another machine"
    assert harness.hardware([stored, stored]) == measured
    stored.once({"n": 2}, dict)
    assert harness.hardware([results, stored]) == f"{measured} and another machine"


def test_results_that_are_not_complete_are_left_out(tmp_path):
    results = lambda name: harness.Results(tmp_path / f"{name}.json", {})
    results("a").once({"n": 1}, dict)
    assert [*harness.stored(results, "ab")] == ["a"]
    assert harness.stored(results, "ab", complete=2) == {}


def test_a_solver_in_a_row_of_results_is_restored():
    for solver in (bj.solvers.midpoint(steps=2), bj.solvers.adams_bashforth(nfe=4)):
        lists = json.loads(json.dumps(harness.as_lists(solver)))
        for leaf, again in zip(solver, harness.as_solver(lists), strict=True):
            np.testing.assert_array_equal(leaf, again)
            assert np.shape(leaf) == again.shape


def test_images_are_stored_in_a_byte_a_pixel():
    images = np.linspace(-1.2, 1.2, 32).reshape(2, 4, 4)
    pixels = harness.shades(harness.as_shades(images))
    assert pixels[0] == 0 and pixels[-1] == 255
    expected = np.clip(images, -1, 1).ravel() * 127.5 + 127.5
    np.testing.assert_allclose(pixels, expected, atol=0.5)


def test_a_block_is_replaced_and_the_page_around_it_kept(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n")
    for _ in range(2):
        pages.write(tmp_path, "a", ["new", "lines"])
    assert page.read_text() == (
        "before\n<!-- a: begin -->\nnew\nlines\n<!-- a: end -->\nafter\n"
    )
    with pytest.raises(ValueError, match="once each"):
        pages.write(tmp_path, "b", [])


def test_tables_have_three_digits_and_dashes():
    lines = pages.table("RMSE", (4, 8), [("euler", [0.123456, None])])
    assert lines == ["| RMSE | 4 | 8 |", "|---|---|---|", "| euler | 0.123 | - |"]

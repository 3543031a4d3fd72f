"""Commands on sets of cards and on cards of conditional solvers."""

import json

import numpy as np
import pytest
from card_cases import card_set, guided_solver
from cli_models import MEAN, STD

from bespoke_jax import card, solvers
from bespoke_jax.cli import main
from bespoke_jax.core.conditional import conditional

MODEL = "cli_models:gaussian"


def tilted(w: float):
    """Euler's rows with velocities stretched by w: exact in w with two nodes."""
    found = solvers.euler(nfe=3)
    return found._replace(q=(1 + w) * np.asarray(found.q))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BESPOKE_TRACEBACK", raising=False)
    about = {"model": MODEL, "schedule": {"name": "CondOT"}}
    euler = [solvers.euler(nfe=n) for n in (3, 5, 9)]
    card.save("set.json", card_set(*euler, **about))
    card.save("alone.json", solvers.euler(nfe=5), **about)
    guided = conditional(tilted, 0, 6)
    card.save("guided.json", guided, condition="guidance", rmse=0.25, **about)
    card.save("many.json", card_set(
        guided, guided_solver(4), condition="guidance", **about
    ))  # fmt: skip
    return tmp_path


def run(line, capsys):
    code = main(line.split())
    out, err = capsys.readouterr()
    return code, " ".join(out.replace("│", " ").split()), err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "show set.json",
            [MODEL, "CondOT()", "3 0.333333 9", "5 0.2 9", "9 0.111111 9", "Add --nfe"],
        ),
        ("show set.json --nfe 5", ["NFE 5", "notes of 5", "0.80000", "0.2 (9 paths"]),
        ("show alone.json", ["NFE 5", "0.80000"]),
        ("show alone.json --nfe 5", ["NFE 5", "0.80000"]),
        (
            "show many.json",
            [
                "solvers for",
                "3 0.333333 9 guidance in 0 .. 6",
                "4 0.25 9 guidance in 0",
            ],
        ),
        (
            "show guided.json",
            ["a solver for each guidance in 0 .. 6", "0.25", "Add --condition to see"],
        ),
        ("show guided.json --condition 3.5", ["NFE 3", "1.5"]),  # (1 + 3.5) / 3
        ("show many.json --nfe 4 --condition 2", ["NFE 4", "1.6"]),  # a = 1 + 0.3 w
        ("certify set.json --nfe 5", ["sum of u weights", "0.80000"]),
        ("certify guided.json --condition 0", ["sum of u weights", "0.66667"]),
    ],
)
def test_what_is_chosen_is_shown(folder, capsys, line, says):
    code, out, err = run(line, capsys)
    assert code == 0 and err == ""
    assert all(part in out for part in says), out


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("show set.json --nfe 4", "the card set.json has 3, 5, 9 NFE, not --nfe 4"),
        ("show set.json --condition 2", "add --nfe to --condition: set.json is a set"),
        (
            "show set.json --nfe 3 --condition 2",
            "set.json depends on no condition",
        ),
        ("show alone.json --condition 2", "alone.json depends on no condition; leave"),
        ("show guided.json --condition 7", "guided.json: this solver was fitted for 0"),
        ("show guided.json --nfe 4", "the card guided.json has 3 NFE, not --nfe 4"),
        (
            "certify set.json",
            "set.json has solvers of 3, 5, 9 NFE; add --nfe to choose",
        ),
        ("certify guided.json", "depends on guidance in 0 .. 6; add --condition"),
        ("certify many.json --condition 2", "solvers of 3, 4 NFE; add --nfe"),
        ("certify euler --nfe 4", "choose a solver of a card; euler has neither"),
        ("sample set.json", "set.json has solvers of 3, 5, 9 NFE; add --nfe"),
        ("sample set.json --nfe 4", "the card set.json has 3, 5, 9 NFE, not --nfe 4"),
        ("sample guided.json", "guidance in 0 .. 6; add --condition to choose one"),
        ("sample guided.json --condition -1", "fitted for 0 .. 6; extrapolation"),
        ("sample alone.json --condition 1", "depends on no condition; leave --cond"),
        (
            f"sample euler --nfe 2 --model {MODEL} --condition 1",
            "euler depends on no condition; leave --condition out",
        ),
        ("compare --solvers guided.json", "depends on guidance in 0 .. 6; add --cond"),
        (
            "compare --solvers set.json euler --condition 1",
            "no card of --solvers depends on a condition; leave --condition out",
        ),
        (
            f"tailor --model {MODEL} --improve set.json --nfe 7",
            "--improve set.json has 3, 5, 9 evaluations; give a card of 7 or 6",
        ),
        (
            f"tailor --model {MODEL} --improve many.json --nfe 4",
            "many.json has solvers that depend on guidance; give a card of plain ones",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_told_in_one_line(folder, capsys, line, says):
    code, out, err = run(line, capsys)
    assert (code, out) == (2, "")
    assert says in err and err.count("\n") == 1


@pytest.mark.slow
def test_samples_of_a_set_and_of_a_condition(folder, capsys):
    code, out, _ = run("sample set.json --nfe 9 --n 2 --no-progress", capsys)
    assert code == 0 and "2 samples of gaussian by set.json, 9 NFE each" in out
    first = np.load("samples.npz")
    run(f"sample euler --nfe 9 --n 2 --no-progress --model {MODEL}", capsys)
    np.testing.assert_array_equal(first["samples"], np.load("samples.npz")["samples"])
    # With w = 0 the conditional solver is Euler's of three steps.
    run("sample guided.json --condition 0 --n 2 --no-progress", capsys)
    zero = np.load("samples.npz")["samples"]
    run("sample set.json --nfe 3 --n 2 --no-progress", capsys)
    np.testing.assert_allclose(zero, np.load("samples.npz")["samples"], rtol=1e-6)
    assert not np.allclose(zero, MEAN + STD * first["noise"], atol=1e-3)


@pytest.mark.slow
def test_compare_has_a_row_for_each_budget_of_a_set(folder, capsys):
    line = "compare --solvers set.json guided.json rk4 --nfe 4 --condition 0 --n 16"
    code, out, _ = run(f"{line} --out seen --no-progress", capsys)
    assert code == 0
    rows = json.loads((folder / "seen" / "table.json").read_text())
    found = {(row["solver"], row["nfe"]): row["rmse_mean"] for row in rows}
    assert set(found) == {
        *(("set.json", n) for n in (3, 5, 9)), ("guided.json", 3), ("rk4", 4)
    }  # fmt: skip
    assert found["guided.json", 3] == pytest.approx(found["set.json", 3], rel=1e-5)
    assert found["set.json", 9] < found["set.json", 5] < found["set.json", 3]

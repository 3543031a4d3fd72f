"""The command line: what it writes is true, and every mistake gets one line."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from card_cases import one_card
from cli_models import MEAN, STD, gaussian
from process import environment

from bespoke_jax import card, solvers
from bespoke_jax.cli import COMMANDS, main, models
from bespoke_jax.demo import job
from bespoke_jax.fitting import scale_time

MODEL = "cli_models:gaussian"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BESPOKE_TRACEBACK", raising=False)
    return tmp_path


@pytest.fixture
def euler_card():
    return card.save(
        "euler-5.json", solvers.euler(steps=5), model=MODEL, notes="[bold]"
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "expected a command: demo, tailor"),
        ("dem", "no command 'dem'; the nearest is demo"),
        ("demo --nf 8", "no flag --nf; the nearest is --nfe"),
        ("demo -n 8", "no flag -n; the nearest is --"),
        ("fit --itertions=5", "no flag --itertions; the nearest is --iterations"),
        ("list --all", "bespoke list has no flag --all"),
        ("fit --nfe eight", "--nfe: invalid literal for int() with base 10: 'eight'"),
        ("fit --nfe", "Missing value for argument '--nfe'"),
        ("demo --nfe eight", "Could not find valid parse for arguments: ['eight']"),
        ("demo fm_ot", "Unrecognized options: fm_ot; see bespoke demo --help"),
        (
            "fit --nfe 7",
            "evaluations of a midpoint step; got 7, the nearest is 6 or 8",
        ),
        ("fit --nfe 0", "got 0, the nearest is 2"),
        ("fit --nfe -4", "the nearest is 2"),
        ("demo --nfe 4 0", "--nfe must be at least 1; got 0"),
        ("demo --nfe -4", "--nfe must be at least 1; got -4"),
        ("demo --model fm_to", "no model 'fm_to'; the nearest is fm_ot"),
        ("demo --seed -1", "--seed must lie in 0 .. 4294967295; got -1"),
        ("demo --out euler-5.json", "cannot make the folder euler-5.json: File exists"),
        ("fit", "give --model: a demo model, package.module:function"),
        ("fit --base midpont", "no base 'midpont'; the nearest is midpoint"),
        ("fit --base rk4 --nfe 6", "got 6, the nearest is 4 or 8"),
        ("fit --loss rms", "no loss 'rms'; the nearest is rmse"),
        ("fit --iterations 0", "--iterations must be at least 1; got 0"),
        ("fit --paths 50 --batch-size 41", "in 1 .. 30, what --paths 50 leaves"),
        ("fit --paths 1", "--paths must be at least 3; got 1"),
        ("fit --lr 0", "--lr must be above 0; got 0"),
        ("fit --out solver.txt", "--out must be a .json file; got solver.txt"),
        ("fit --out euler-5.json/a.json", "cannot make the folder euler-5.json"),
        (
            "fit --model cli_models:gausian",
            "no function 'gausian'; the nearest is gaussian",
        ),
        ("fit --model no_module:f", "No module named 'no_module'"),
        ("fit --model modle.py:f", "no file modle.py; the nearest is model.py"),
        (
            "fit --model model.py:f",
            "model.py raised ZeroDivisionError: division by zero",
        ),
        ("fit --model cli_models:broken", "raised TypeError: first line"),
        (
            "fit --model cli_models:number",
            "must return a bespoke_jax.Model",
        ),
        (
            "fit --model cli_models:narrow",
            "shape of x, (2, 4, 4, 1), in floating point; got (2, 2, 4, 1), float32",
        ),
        ("tailor --judge best", "--judge must be mean or median; got best"),
        ("tailor --nfe 0", "--nfe must lie in 1 .. 1000; got 0"),
        ("tailor --nfe 8-4", "the range 8-4 falls; write 4-8"),
        ("tailor --guidance 6-0", "--guidance: the range must rise; got 6 to 0"),
        (
            "tailor --guidance 0-6 --model MODEL",
            'must return a dict whose entry "w" is (n,) weights',
        ),
        ("tailor --effort slow --model MODEL", "effort must be"),
        ("tailor --seconds -1", "--seconds must not be negative; got -1"),
        (
            "tailor --improve euler-5.json --nfe 8 --model MODEL",
            "euler-5.json has 5 evaluations; give a card of 8 or 7",
        ),
        ("sample", "SOLVER"),
        (
            "sample eulr --nfe 8 --model MODEL",
            "no solver or card 'eulr'; the nearest are euler",
        ),
        ("sample euler-6.json", "no file euler-6.json; the nearest is euler-5.json"),
        ("sample euler --model MODEL", "give --nfe"),
        ("sample euler:quadratic --model MODEL", "give --nfe"),
        ("sample euler-5.json --nfe 8", "the card euler-5.json has 5 NFE, not --nfe 8"),
        ("sample rk4 --nfe 3 --model MODEL", "rk4 spends 4 evaluations a step"),
        ("sample euler --nfe 4 --n 0 --model MODEL", "at least 1; got 0"),
        (
            "sample euler-5.json --model cli_models:early",
            "runs from t = 0 to 1, the model gaussian from 0 to 0.5",
        ),
        ("compare --nfe x", "Could not find valid parse for arguments: ['x']"),
        ("compare --model MODEL --n 1", "--n must be at least 2 and"),
        ("compare --model MODEL --out t.json", "--out is a folder for three files"),
        (
            "compare --model MODEL --solvers euler:unifrm",
            "unknown grid 'unifrm'; did you mean 'uniform'?",
        ),
        ("show euler.json", "no file euler.json; the nearest is euler-5.json"),
        ("show model.json", "model.json: expected JSON, got a syntax error at line 1"),
    ],
)
def test_mistakes_answer_in_one_line(line, says, euler_card, folder, capsys):
    (folder / "model.py").write_text("1 / 0\n")
    (folder / "model.json").write_text("{")
    before = {path.name for path in folder.iterdir()}
    assert main(line.replace("MODEL", MODEL).split()) == 2
    out, err = capsys.readouterr()
    assert says in err and err.count("\n") == 1 and err.startswith("bespoke: ")
    assert out == ""
    assert {path.name for path in folder.iterdir()} - before <= {
        "__pycache__",
        "bespoke-demo",
    }


def test_a_failed_computation_is_one_line_and_exit_code_1(monkeypatch, capsys):
    def fails(name):
        raise RuntimeError("the reference solve failed\nfor 3 samples")

    monkeypatch.setattr(models, "load", fails)
    assert main(["compare", "--model", MODEL]) == 1
    assert capsys.readouterr().err == (
        "bespoke: the reference solve failed for 3 samples\n"
    )
    monkeypatch.setenv("BESPOKE_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        main(["compare", "--model", MODEL])


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_names_every_flag(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    expected = {
        "": [*COMMANDS],
        "demo": ["--model", "--nfe", "--out", "--seed", "fm_ot, fm_cs or eps_vp"],
        "sample": ["SOLVER"],
        "compare": ["--solvers", "--nfe"],
        "show": ["CARD"],
    }
    assert all(word in out for word in expected.get(command, []))


def test_list_shows_the_whole_table(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(
        name in out and entry.paper in out for name, entry in solvers.TABLE.items()
    )


def test_show_prints_provenance_and_rows(euler_card, capsys):
    assert main(["show", str(euler_card)]) == 0
    out = capsys.readouterr().out
    assert MODEL in out and "[bold]" in out
    assert all(f"{t:.5f}" in out for t in np.arange(5) / 5)


@pytest.mark.slow
def test_samples_follow_the_closed_form(folder, capsys):
    assert (
        main(f"sample rk4 --nfe 64 --n 130 --model {MODEL} --out a/x.npz".split()) == 0
    )
    data = np.load(folder / "a" / "x.npz")
    assert data["noise"].shape == data["samples"].shape == (130, 4, 4, 1)
    assert abs(data["noise"].std() - 1) < 0.05
    exact = MEAN + STD * data["noise"]
    np.testing.assert_allclose(data["samples"], exact, atol=2e-5)
    assert (folder / "a" / "x.png").stat().st_size > 1000
    assert "130 samples of gaussian by rk4, 64 NFE each" in capsys.readouterr().out


def test_samples_that_are_not_finite_are_written_and_counted(folder, capsys):
    line = "sample euler --nfe 2 --n 20 --model cli_models:diverging --out d.npz"
    assert main(line.split()) == 2
    samples = np.load(folder / "d.npz")["samples"]
    lost = (~np.isfinite(samples)).sum()
    assert 0 < lost < 20
    assert (
        f"{lost} of 20 samples are not finite; all are in " in capsys.readouterr().err
    )


def test_a_budget_between_steps_is_no_mistake_with_a_grid_either(folder, capsys):
    line = f"sample midpoint:quadratic --nfe 3 --n 2 --model {MODEL}"
    assert main(line.split()) == 0
    assert "by midpoint:quadratic, 2 NFE each" in capsys.readouterr().out


def test_a_card_brings_its_model_and_nfe(euler_card, folder, capsys):
    assert main(["sample", str(euler_card), "--n", "3", "--no-progress"]) == 0
    out, err = capsys.readouterr()
    assert "3 samples of gaussian by euler-5.json, 5 NFE each" in out and err == ""
    first = np.load(folder / "samples.npz")["noise"]
    main(f"sample {euler_card} --n 3 --no-progress --seed 1".split())
    assert not np.array_equal(first, np.load(folder / "samples.npz")["noise"])


def test_a_model_from_a_file_sees_its_neighbours(folder, capsys, monkeypatch):
    (folder / "zoo").mkdir()
    (folder / "zoo" / "cli_neighbour.py").write_text(
        "from cli_models import gaussian\n"
    )
    (folder / "zoo" / "cli_mine.py").write_text("from cli_neighbour import gaussian\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert (
        main("sample euler --nfe 2 --n 2 --model zoo/cli_mine.py:gaussian".split()) == 0
    )


def test_interrupting_says_how_to_resume(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(scale_time, "fit", stopped)
    monkeypatch.setattr(scale_time, "solve_model", lambda *_, **__: None)
    line = f"fit --model {MODEL} --no-progress"
    assert main([*line.split(), "--directory", "runs/a"]) == 130
    assert main(line.split()) == 130
    assert capsys.readouterr().err.splitlines() == [
        "bespoke: interrupted; run the same command again to resume from runs/a",
        "bespoke: interrupted; nothing was saved",
    ]


@pytest.mark.slow
def test_the_console_script_is_quick_to_help():
    """As a process: exit codes, streams, and no import of what help does not need."""
    code = (
        "import sys; from bespoke_jax.cli import main; code = main(sys.argv[1:]);"
        "assert 'matplotlib' not in sys.modules; sys.exit(code)"
    )
    run = lambda *words: subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env=environment(),
    )
    good, bad = run("--help"), run("fit", "--nfe", "x")
    assert good.returncode == 0 and "demo" in good.stdout and good.stderr == ""
    assert bad.returncode == 2 and bad.stdout == ""
    assert bad.stderr == (
        "bespoke: Error parsing --nfe: invalid literal for int() with base 10: 'x'; "
        "see bespoke fit --help\n"
    )


@pytest.mark.slow
def test_compare_measures_grids(folder):
    """Grids of exact paths are those of `grids`, and are named in the table."""
    line = f"compare --model {MODEL} --solvers euler:acceleration unipc:optimal euler"
    assert main([*line.split(), "--nfe", "3", "4", "--n", "8", "--out", "seen"]) == 0
    rows = json.loads((folder / "seen" / "table.json").read_text())
    found = {(row["solver"], row["nfe"]): row["rmse_mean"] for row in rows}
    assert len(found) == 6
    for nfe in (3, 4):
        assert found["euler:acceleration", nfe] < found["euler", nfe]


@pytest.mark.slow
def test_fit_then_compare(folder, capsys):
    """A fitted card beats its base on new noises, and says what it cost."""
    fit = f"fit --model {MODEL} --nfe 4 --iterations 150 --paths 128 --lr 1e-2"
    assert main([*fit.split(), "--directory", "run"]) == 0
    fitted = one_card("solver.json")
    assert fitted.ground_truth.rtol == 1e-5 and fitted.ground_truth.atol == 1e-5
    assert fitted.rmse < 0.5 * fitted.start_rmse
    assert fitted.model == MODEL and fitted.solver.nfe == 4
    assert fitted.schedule == {"name": "CondOT"} and fitted.loss == "rmse_bound"
    assert fitted.evaluations is not None
    assert fitted.evaluations > 3 * 4 * 40 * 150  # the optimiser's part
    first = (folder / "solver.json").read_text().split('"solver": {')[1]
    assert main([*fit.split(), "--directory", "run"]) == 0  # finished: returns at once
    assert (folder / "solver.json").read_text().split('"solver": {')[1] == first
    capsys.readouterr()

    line = "compare --solvers solver.json euler midpoint:quadratic rk4 --nfe 4 9"
    assert main([*line.split(), "--n", "128", "--out", "seen"]) == 0
    rows = json.loads((folder / "seen" / "table.json").read_text())
    found = {(row["solver"], row["nfe"]): row["rmse_mean"] for row in rows}
    assert set(found) == {
        ("solver.json", 4),
        ("euler", 4),
        ("midpoint:quadratic", 4),
        ("rk4", 4),
        ("midpoint:quadratic", 8),
        ("rk4", 8),
        ("euler", 9),
    }
    assert list(found) == sorted(found, key=lambda key: (key[1], found[key]))
    assert found["solver.json", 4] < 0.6 * found["midpoint:quadratic", 4]
    for row in rows:
        psnr = 20 * np.log10(2 / row["rmse_mean"])
        np.testing.assert_allclose(row["psnr_db"], psnr, rtol=1e-4)
        assert 0 < row["rmse_low"] < row["rmse_mean"] < row["rmse_high"]
        assert row["seconds_per_sample"] > 0 and row["peak_mib"] > 0
    with open(folder / "seen" / "table.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [{k: str(v) for k, v in row.items()} for row in rows] == lines
    page = (folder / "seen" / "report.html").read_text()
    out = capsys.readouterr().out
    for row in rows:
        assert f"{row['rmse_mean']:.4g}" in out and row["solver"] in page
    assert "With at most 4 network evaluations: solver.json" in out


@pytest.mark.slow
def test_tailor_beats_every_start_and_starts_again_from_its_card(folder, capsys):
    line = f"tailor --model {MODEL} --nfe 2 --paths 64"
    assert main([*line.split(), "--directory", "run"]) == 0
    small = one_card("tailored.json")
    assert small.rmse is not None and small.start_rmse is not None
    assert small.rmse < 0.1 * small.start_rmse  # one Gaussian: two numbers fit it
    assert small.solver.nfe == 2 and small.model == MODEL
    assert small.family == "nonstationary(2 NFE)"
    assert small.evaluations is not None
    assert small.judge == "mean" and small.paths == 13
    said = capsys.readouterr().out
    assert f"Mean RMSE {small.rmse:.4g} at 2 NFE, on paths that chose nothing" in said
    assert "for 64 exact paths" in said
    line = f"tailor --model {MODEL} --nfe 3 --paths 64 --improve tailored.json"
    assert main([*line.split(), "--evaluations", "1", "--out", "b.json"]) == 2
    err = capsys.readouterr().err
    assert "evaluations=1 is too little: this needs at least" in err
    assert not (folder / "b.json").exists()
    assert main([*line.split(), "--evaluations", "12000", "--out", "b.json"]) == 0
    larger = one_card("b.json")
    assert larger.solver.nfe == 3 and larger.notes.startswith("tailored from ")
    assert larger.rmse is not None and larger.evaluations is not None
    assert larger.rmse <= 1.1 * small.rmse
    assert larger.evaluations <= 12_000


@pytest.mark.slow
def test_demo_tailors_for_every_budget_and_writes_cards_table_and_figures(
    folder, monkeypatch, capsys
):
    monkeypatch.setattr(models, "load", lambda name: gaussian())
    monkeypatch.setattr(job, "FITTING", 32)
    monkeypatch.setattr(job, "TEST", 24)
    assert main("demo --nfe 2 3 --out results/a".split()) == 0
    out, err = capsys.readouterr()
    results = folder / "results" / "a"
    rows = json.loads((results / "table.json").read_text())
    found = {(row["solver"], row["nfe"]): row["rmse_mean"] for row in rows}
    assert set(found) == {
        *((name, nfe) for name in ("tailored", "best generic") for nfe in (2, 3)),
        *((name, nfe) for name in ("euler", "unipc") for nfe in (2, 3)),
        ("midpoint", 2),
    }
    cards = card.load(results / "card.json")
    assert isinstance(cards, card.CardSet)
    assert cards.budgets == (2, 3)
    for nfe in (2, 3):
        others = [found[key] for key in found if key[1] == nfe and key[0] != "tailored"]
        assert found["tailored", nfe] < 0.5 * min(others)
        made = cards[nfe]
        assert made.model == "fm_ot" and made.solver.nfe == nfe
        assert made.validation.judge == "mean"
        assert made.ground_truth.rtol == 1e-5 and made.schedule == {"name": "CondOT"}
        assert f"{nfe} NFE: the best generic is " in out
    for figure in ("samples.png", "rmse_nfe.png", "weights.png"):
        assert (results / figure).stat().st_size > 10_000
        assert figure in out
    assert "ground truth" in err and "tailor" in err and "compare" in err

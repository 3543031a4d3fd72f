"""`bespoke fit` and `bespoke show`: budgets, parts, a later start, what a card says."""

from pathlib import Path

import pytest
from card_cases import one_card
from cli_models import MEAN, gaussian

from bespoke_jax.cli import main

MODEL = f"{Path(__file__).parents[1] / 'helpers' / 'cli_models.py'}:gaussian"
LATE = f"{Path(__file__)}:late"


def late():
    """The Gaussian model from noised data at t = 0.5."""
    import jax

    def noised(key, n, start):
        noise = jax.random.normal(key, (n, 4, 4, 1), "float32")
        return start * MEAN + (1 - start) * noise

    return gaussian()._replace(start=0.5, x0=noised)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line, capsys):
    code = main(line.split())
    out, err = capsys.readouterr()
    return code, out, err


FIT = "--nfe 4 --iterations 20 --paths 64 --batch-size 16 --no-progress"


@pytest.mark.slow
def test_a_fit_from_a_later_start_and_what_its_card_says(folder, capsys):
    code, out, _ = run(f"fit --model {LATE} {FIT}", capsys)
    assert code == 0 and "on 13 paths that chose nothing" in out
    made = one_card("solver.json")
    assert float(made.at().t[0]) == 0.5 and float(made.at().end) == 1.0
    assert (made.judge, made.paths) == ("mean", 13)
    # 20 iterations of 16 paths and 4 rows, forward and reverse, are not all of it.
    assert made.evaluations is not None and made.evaluations > 3 * 20 * 16 * 4
    code, out, _ = run("show solver.json", capsys)
    words = " ".join(out.replace("│", " ").split())
    assert code == 0 and "mean RMSE" in words and "(13 paths that chose" in words
    assert "start 0.5" in words and "end 1" in words


@pytest.mark.slow
def test_budgets_are_kept_or_refused_in_one_line(folder, capsys):
    code, _, err = run(f"fit --model {MODEL} {FIT} --evaluations 100", capsys)
    last = err.strip().splitlines()[-1]
    assert code != 0 and last.startswith("bespoke: ") and "100 is too little" in last
    assert not (folder / "solver.json").exists()
    code, *_ = run(f"fit --model {MODEL} {FIT} --evaluations 40000", capsys)
    made = one_card("solver.json")
    assert code == 0 and made.evaluations is not None and made.evaluations <= 40_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--paths 2", "--paths must be at least 3"),
        ("--evaluations -1", "--evaluations must not be negative"),
        ("--seconds nan", "--seconds must not be negative"),
        ("--start 0.5", "says nothing of its states there"),
    ],
)
def test_wrong_options_are_told(folder, capsys, options, says):
    code, _, err = run(f"fit --model {MODEL} {options}", capsys)
    assert code != 0 and says in err

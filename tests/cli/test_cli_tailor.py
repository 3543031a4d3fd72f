"""`bespoke tailor` for several budgets and for every guidance weight of a range."""

import cli_models
import jax.numpy as jnp
import numpy as np
import pytest

from bespoke_jax import card, reference
from bespoke_jax.cli import main
from bespoke_jax.core.conditional import Conditional

MODEL = "cli_models:guided"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tailor")


@pytest.fixture(autouse=True)
def _inside(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.delenv("BESPOKE_TRACEBACK", raising=False)


@pytest.mark.slow
def test_one_card_for_budgets_and_weights_which_samples_then_have(folder, capsys):
    line = f"tailor --model {MODEL} --nfe 2,3 --guidance 0-2 --effort seconds"
    assert main([*line.split(), "--paths", "60", "--no-progress"]) == 0
    out = capsys.readouterr().out
    made = card.load(folder / "tailored.json")
    assert isinstance(made, card.CardSet) and made.budgets == (2, 3)
    for each in made:
        assert isinstance(each.solver, Conditional)
        assert (each.solver.low, each.solver.high) == (0.0, 2.0)
        assert (each.condition, each.model, each.paths) == ("guidance", MODEL, 12)
        assert each.rmse is not None and each.start_rmse is not None
        assert each.rmse < 0.5 * each.start_rmse
        said = f"Mean RMSE {each.rmse:.4g} at {each.solver.nfe} NFE over guidance in"
        assert f"{said} 0 .. 2, on paths that chose nothing" in out
    assert "network evaluations" in out and "for 60 exact paths" in out

    for w in (0.0, 1.7):
        line = f"sample tailored.json --nfe 3 --condition {w} --n 8 --no-progress"
        assert main(line.split()) == 0
        found = np.load("samples.npz")
        x0, c = jnp.asarray(found["noise"]), {"w": jnp.full(8, w)}
        exact = reference.solve(cli_models.guided().field, x0, c=c, progress=False)
        error = np.sqrt(np.mean((found["samples"] - np.asarray(exact.x1)) ** 2))
        assert error < 0.05 * np.std(np.asarray(exact.x1) - found["noise"])


@pytest.mark.slow
def test_one_budget_is_a_plain_card(folder, capsys):
    line = "tailor --model cli_models:gaussian --nfe 2 --effort seconds --paths 40"
    assert main([*line.split(), "--out", "plain.json", "--no-progress"]) == 0
    made = card.load(folder / "plain.json")
    assert isinstance(made, card.Card) and made.condition == ""
    assert made.evaluations is not None
    assert f"{made.evaluations:.3g} network evaluations" in capsys.readouterr().out

"""Several budgets in one search: shares, order, resuming, and what they refuse."""

from typing import Any

import jax
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from tailor_cases import FIELD, counted, dense, ends, tailor

import bespoke_jax as bj
from bespoke_jax.core.calls import INDEPENDENCE_COST
from bespoke_jax.fitting import identity, incremental
from bespoke_jax.fitting import search as searching
from bespoke_jax.fitting.tailored import TailoredSet

BUDGETS = (4, 2, 3, 2)  # in any order, each once


@pytest.fixture(scope="module")
def paths():
    return dense()


def bound(paths):
    return paths.stats.evaluations + 18_000


@pytest.fixture(scope="module")
def counting(paths):
    """The set, and the evaluations that the field was asked for."""
    seen, pulls = [], []
    real = incremental.gauss_newton.normal_equations

    def normal_equations(family, point, field, data, **options):
        pulls.append(2 * (point.runs[0].table.nfe - 1) * data.size * options["probes"])
        return real(family, point, field, data, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(incremental.gauss_newton, "normal_equations", normal_equations)
        found = tailor(paths, counted(seen), nfe=BUDGETS, evaluations=bound(paths))
    jax.effects_barrier()
    return found, sum(seen) + sum(pulls)


@pytest.fixture(scope="module")
def found(counting):
    return counting[0]


def same(ours, theirs):
    for one, other in zip(ours.solver, theirs.solver, strict=True):
        np.testing.assert_array_equal(one, other)
    assert ours.rmse == theirs.rmse
    np.testing.assert_array_equal(ours.history.rmse, theirs.history.rmse)
    np.testing.assert_array_equal(ours.history.evaluations, theirs.history.evaluations)


@pytest.mark.slow
def test_a_set_is_read_by_budget(paths, found):
    assert isinstance(found, TailoredSet) and len(found) == 3
    assert found.budgets == (2, 3, 4) and found.paths is found[2].paths
    assert [member.solver.nfe for member in found] == [2, 3, 4]
    for nfe in (2, np.int64(3), 4.0):
        assert found.at(nfe=int(nfe)) is found[nfe].solver
        assert found[nfe].solver.nfe == nfe
    with pytest.raises(ValueError, match="no solver of 5 NFE; there are 2, 3, 4"):
        found[5]
    with pytest.raises(ValueError, match="no solver of 5 NFE; there are 2, 3, 4"):
        found.at(nfe=5)
    with pytest.raises(ValueError, match="fitted without a condition; leave condition"):
        found.at(nfe=3, condition=1.0)


@pytest.mark.slow
def test_more_evaluations_are_never_worse_on_the_choosing_paths(found):
    scores = [member.history.rmse[-1] for member in found]
    assert np.all(np.diff(scores) <= 1e-6 * np.asarray(scores[:-1]))
    # The smaller fits are among the starts.
    assert found[2].rmse < 0.7 * found[2].start_rmse
    assert all(m.history.rmse[-1] <= m.history.rmse[0] for m in found)
    for nfe in (3, 4):
        assert any(start.given for start in found[nfe].starts)
    assert not any(start.given for start in found[2].starts)


@pytest.mark.slow
def test_shares_are_kept_and_all_that_was_spent_is_told(paths, counting):
    """Nothing is counted twice, nothing left out: the field itself says so."""
    found, asked = counting
    truth = paths.stats.evaluations
    assert found.evaluations == truth + asked <= bound(paths)
    shared = truth + INDEPENDENCE_COST + identity.PROBE_COST
    own = [member.evaluations - shared for member in found]
    assert sum(own) == found.evaluations - shared
    left = bound(paths) - shared
    for nfe, spent in zip(found.budgets, own, strict=True):
        assert spent <= left * nfe / sum(n for n in found.budgets if n >= nfe)
        left -= spent
    assert sum(own) > 0.3 * 18_000


@pytest.mark.slow
def test_of_one_budget_it_is_the_single_fit(paths):
    options = {"evaluations": paths.stats.evaluations + 4_000}
    (one,) = tailor(paths, nfe=[2], **options)
    same(one, tailor(paths, nfe=2, **options))


@pytest.mark.slow
def test_stopped_between_two_budgets_it_goes_on_to_the_same_bits(
    paths, tmp_path, monkeypatch
):
    real, made = searching.search, []

    def search(*args):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(real(*args))
        return made[-1]

    options: dict[str, Any] = {
        "nfe": BUDGETS,
        "evaluations": bound(paths),
        "directory": tmp_path,
    }
    monkeypatch.setattr("bespoke_jax.fitting.tailor.search", search)
    with pytest.raises(KeyboardInterrupt):
        tailor(paths, **options)
    monkeypatch.setattr("bespoke_jax.fitting.tailor.search", real)
    again = tailor(paths, **options)
    whole = tailor(paths, **(options | {"directory": None}))
    for ours, theirs in zip(again, whole, strict=True):
        same(ours, theirs)
    assert again.evaluations == whole.evaluations
    with pytest.raises(ValueError, match="holds another run"):
        tailor(paths, **(options | {"nfe": (2, 3)}))


@pytest.mark.slow
def test_a_set_is_one_card(found, tmp_path):
    bj.card.save(tmp_path / "set.json", found, model="mixture")
    loaded = bj.card.load(tmp_path / "set.json")
    assert loaded.budgets == found.budgets and loaded.model == "mixture"
    for nfe in found.budgets:
        for ours, theirs in zip(loaded.at(nfe), found.at(nfe=nfe), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert loaded[nfe].rmse == found[nfe].rmse
        assert loaded[nfe].evaluations == found[nfe].evaluations


@pytest.mark.parametrize(
    ("nfe", "says"),
    [
        ([], "nfe must name at least one budget; got none"),
        ([3, 0], "each nfe must be a whole number of at least 1; got 0"),
        ([2.5], "each nfe must be a whole number"),
        ("23", "nfe must be a whole number"),
        (b"x", "nfe must be a whole number"),
        (0, "nfe must be a whole number of at least 1; got 0"),
    ],
)
def test_budgets_that_are_none_are_told(nfe, says):
    with pytest.raises((ValueError, TypeCheckError)) as error:
        bj.tailor(FIELD, ends(), nfe=nfe, key=jax.random.key(0), progress=False)
    if error.type is ValueError:
        error.match(says)

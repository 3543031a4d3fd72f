"""What a card says of a fit comes from the fit itself."""

import types

import jax
import jax.numpy as jnp
import pytest
from card_cases import midpoint_solver, one_card
from jaxtyping import TypeCheckError

import bespoke_jax as bj
from bespoke_jax import card

END = 0.9


def field(t, x):
    return 2.0 * jnp.reshape(t, (-1, 1)) - x


@pytest.fixture(scope="module")
def paths():
    x0 = jax.random.normal(jax.random.key(0), (15, 2), "float32")
    return bj.reference.solve(field, x0, end=END, rtol=1e-4, atol=1e-5, progress=False)


def test_the_card_of_a_bare_solver_has_what_it_is_told():
    made = card.of(midpoint_solver(), model="m", judge="mean", paths=3)
    assert (made.model, made.validation.judge, made.validation.paths) == (
        "m",
        "mean",
        3,
    )
    assert made.ground_truth == card.Truth() and made.cost == card.Cost()
    assert made.created and made.versions
    assert (made.rmse, made.paths) == (None, 3)
    whole = card.Validation(0.5, 1.0, "mean", 3)
    assert card.of(midpoint_solver(), validation=whole).start_rmse == 1.0
    with pytest.raises(AttributeError, match="a card has no 'rmsee'"):
        _ = made.rmsee


@pytest.mark.parametrize(
    ("given", "about", "says"),
    [
        (midpoint_solver(), {"moedl": "m"}, "an entry of a card .*'model'"),
        (midpoint_solver(), {"solver_": 1}, "an entry of a card"),
        (midpoint_solver(), {"created": "x"}, "an entry of a card"),
        (
            midpoint_solver(),
            {"validation": 0.1},
            "validation must be a card.Validation",
        ),
        (types.SimpleNamespace(), {}, "expected a Solver"),
    ],
)
def test_what_is_no_entry_or_no_solver_is_refused(given, about, says):
    with pytest.raises((ValueError, TypeCheckError)) as error:
        card.of(given, **about)
    if error.type is ValueError:  # else the annotations of a full run came first
        error.match(says)


@pytest.mark.slow
def test_the_card_of_a_fit_has_its_scores_truth_and_cost(paths, tmp_path):
    fitted = bj.fit(
        bj.families.scale_time(2, end=END), field, paths, key=jax.random.key(1),
        iterations=2, batch_size=4, progress=False,
    )  # fmt: skip
    made = one_card(card.save(tmp_path / "a.json", fitted, paths, model="m", seed=4))
    assert (made.model, made.seed, made.loss) == ("m", 4, "rmse_bound")
    assert made.family == fitted.family.name
    assert made.validation == (fitted.rmse, fitted.start_rmse, "mean", 3)
    assert made.ground_truth[:2] == (1e-4, 1e-5)
    assert made.ground_truth.certificate == pytest.approx(paths.certificate.endpoint)
    assert made.cost.evaluations == fitted.evaluations
    spent = paths.stats.seconds + fitted.history.seconds[-1]
    assert made.cost.seconds == pytest.approx(spent)
    # Without its paths it does not know how exact they were.
    assert card.of(fitted).ground_truth == card.Truth()
    diverged = card.of(fitted._replace(start_rmse=float("nan")))
    assert diverged.validation.start_rmse is None


@pytest.mark.slow
def test_the_card_of_a_tailored_solver_needs_no_paths(paths):
    found = bj.tailor(
        field, paths, nfe=2, key=jax.random.key(1), end=END, judge="median",
        progress=False,
    )  # fmt: skip
    made = card.of(found, schedule=bj.schedules.CondOT())
    assert made.schedule == {"name": "CondOT"} and made.family == found.family.name
    assert made.validation == (found.rmse, found.start_rmse, "median", 3)
    assert made.ground_truth[:2] == (1e-4, 1e-5)
    assert made.cost == (found.evaluations, found.history.seconds[-1])
    assert made.notes == f"tailored from {found.start}" and "median" in made.loss

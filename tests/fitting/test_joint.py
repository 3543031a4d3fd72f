"""Fits of one theta at several numbers of steps: the mean, the result, the gain."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import GAUSSIAN, field, gaussian_paths, random_mixture

import bespoke_jax as bj
from bespoke_jax import losses
from bespoke_jax.fitting import joint

SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
FIELD = field(SCHEDULE, GAUSSIAN)
PATHS = gaussian_paths(SCHEDULE, GAUSSIAN, 80, END)
CURVE = bj.families.curve(3, end=END)
BOTH = CURVE.over((2, 3))


def fit(family, **options):
    settings = {
        "key": jax.random.key(0), "optimizer": optax.adam(3e-2), "iterations": 40,
        "batch_size": 16, "loss": losses.rmse, "progress": False,
    }  # fmt: skip
    return bj.fit(family, FIELD, PATHS, **{**settings, **options})


def error(solver, part=slice(None)):
    """Mean RMSE on some of PATHS."""
    paths = bj.paths.take(PATHS, part)
    x = bj.sample(FIELD, solver, paths.x0)
    return float(jnp.mean(bj.paths.rms(x - paths.x1)))


@pytest.fixture(scope="module")
def fitted():
    return fit(BOTH)


def test_score_is_the_geometric_mean():
    assert joint.score([0.3]) == 0.3
    np.testing.assert_allclose(joint.score([0.1, 0.4, 0.2]), 0.2)
    assert np.isnan(joint.score([0.1, np.nan])) and joint.score([0.0, 1.0]) == 0


@pytest.mark.slow
def test_gradient_weighs_every_number_of_steps_alike():
    """d log(objective) is the mean of d log(loss) over the members."""
    theta = CURVE.init()
    log_of = lambda f: jax.jit(jax.grad(lambda theta: jnp.log(f(theta))))(theta)
    whole = log_of(lambda t: joint.objective(losses.rmse, BOTH, t, FIELD, PATHS))
    parts = [
        log_of(lambda t, m=member: losses.rmse(m, t, FIELD, PATHS))
        for member in BOTH.members
    ]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *parts)
    chex.assert_trees_all_close(whole, mean, rtol=1e-10)
    alone = joint.objective(losses.rmse, CURVE.at(2), theta, FIELD, PATHS)
    assert alone == losses.rmse(CURVE.at(2), theta, FIELD, PATHS)


@pytest.mark.slow
def test_scores_and_solvers_are_those_of_theta(fitted):
    """80 paths: 48 to fit on, 16 to choose by, 16 to report on."""
    base = CURVE.init()
    for got, theta, part in (
        (fitted.validation_rmse, fitted.theta, slice(48, 64)),
        (fitted.rmse, fitted.theta, slice(64, 80)),
        (fitted.start_validation_rmse, base, slice(48, 64)),
        (fitted.start_rmse, base, slice(64, 80)),
    ):
        each = [error(CURVE.at(n).build(theta), part) for n in (2, 3)]
        np.testing.assert_allclose(got, np.sqrt(np.prod(each)), rtol=1e-6)
    assert fitted.validation_rmse == np.min(fitted.history.rmse)
    chex.assert_trees_all_equal(fitted.at(7), CURVE.at(7).build(fitted.theta))
    assert fitted.at(steps=7).nfe == 14


@pytest.mark.slow
def test_evaluations_are_those_of_all_members(fitted):
    """Of both, what a fit of each spends, but for the checks of the field."""
    spent = fitted.history.evaluations
    short = {"iterations": 1, "validate_every": 1}
    of = lambda family: fit(family, **short).history.evaluations
    one, two = of(CURVE.at(2)) + of(CURVE.at(3)), of(BOTH)
    checks = one[0] - two[0]  # paid once for each fit, whatever the family
    np.testing.assert_array_equal(two, one - checks)
    assert spent[0] == two[0]


@pytest.mark.slow
def test_over_one_number_is_the_fit_of_its_family():
    """Up to the rounding of exp(log(.))."""
    alone, over = fit(CURVE.at(2)), fit(CURVE.over((2,)))
    chex.assert_trees_all_close(over.theta, alone.theta, atol=1e-7)
    np.testing.assert_allclose(over.history.rmse, alone.history.rmse, rtol=1e-7)


@pytest.mark.slow
def test_the_same_call_returns_what_is_kept_and_another_is_refused(fitted, tmp_path):
    first = fit(BOTH, directory=tmp_path)
    again = fit(BOTH, directory=tmp_path)
    chex.assert_trees_all_equal(first.theta, again.theta)
    chex.assert_trees_all_equal(first.theta, fitted.theta)
    with pytest.raises(ValueError, match="another"):
        fit(CURVE.over((2, 4)), directory=tmp_path)


def test_a_loss_without_a_geometric_mean_is_refused():
    with pytest.raises(ValueError, match="use losses.mse"):
        fit(BOTH, loss=losses.psnr)


@pytest.mark.slow
def test_gains_at_all_numbers_of_steps_also_those_not_fitted():
    """On a mixture of Gaussians; 2, 4 and 6 are fitted, 3 and 10 are not."""
    u = field(SCHEDULE, random_mixture(2))
    x0 = jax.random.normal(jax.random.key(0), (160, 2))
    paths = bj.reference.solve(u, x0, end=END, rtol=1e-6, atol=1e-6, progress=False)
    curve = bj.families.curve(4, end=END)
    fitted = bj.fit(
        curve.over((2, 4, 6)), u, paths, key=jax.random.key(1), loss=losses.rmse,
        optimizer=optax.adam(3e-2), iterations=100, batch_size=32, progress=False,
    )  # fmt: skip
    test = bj.paths.take(paths, slice(128, None))
    ends = lambda solver: bj.sample(u, solver, test.x0)
    for n in (2, 3, 4, 6, 10):
        after, before = (
            float(jnp.mean(bj.paths.rms(ends(curve.at(n).build(theta)) - test.x1)))
            for theta in (fitted.theta, curve.init())
        )
        assert after < 0.7 * before, (n, after, before)

"""What a fit costs: counted in the jaxpr, measured as it runs, kept below a bound."""

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import GAUSSIAN, field, gaussian_paths

import bespoke_jax as bj
from bespoke_jax import losses
from bespoke_jax.core.budget import TooLittle
from bespoke_jax.core.counting import passes
from bespoke_jax.reference.paths import Stats

SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
FIELD = field(SCHEDULE, GAUSSIAN)
STATS = Stats(30.0, 40, 3000, 1.0)
PATHS = gaussian_paths(SCHEDULE, GAUSSIAN, 50, END, knots=33)._replace(stats=STATS)
FAMILY = bj.families.scale_time(2, end=END)
FREE = bj.families.nonstationary(4, schedule=SCHEDULE, end=END)
ADAM = optax.adam(1e-2)
ROWS = 8 * 4  # of a batch of 8 at 4 evaluations


def fit(family=FAMILY, u: Any = FIELD, **options):
    settings = {
        "key": jax.random.key(0), "optimizer": ADAM, "iterations": 6,
        "batch_size": 8, "validate_every": 4, "progress": False,
    }  # fmt: skip
    return bj.fit(family, u, PATHS, **{**settings, **options})


CASES = [
    (FAMILY, losses.rmse_bound, 1),
    (FAMILY, losses.lte, 1),
    (FAMILY, partial(losses.rmse_bound, sequential=True), 2),
    (FAMILY, losses.rmse, 2),
    (FREE, losses.mse, 2),
    (FREE, partial(losses.psnr, checkpoint=False), 1),
]


@pytest.mark.parametrize(("family", "loss", "forward"), CASES)
def test_every_row_is_evaluated_and_a_recomputed_one_twice(family, loss, forward):
    gradient = lambda u, theta, paths: jax.value_and_grad(
        lambda theta: loss(family, theta, u, paths)
    )(theta)
    batch = bj.paths.take(PATHS, slice(0, 8))
    counted = passes(gradient, batch.x0, family.init(), batch)
    assert counted == (forward * ROWS, ROWS, False)
    assert counted.evaluations == (forward + 2) * ROWS


def test_loops_branches_and_maps_are_counted():
    x = jnp.ones((8, 2))

    def f(u, x):
        def body(x, _):
            return jax.lax.cond(x[0, 0] > 0, lambda x: u(0.1, u(0.1, x)), jnp.sin, x), 0

        x = jax.lax.scan(body, x, length=5)[0]
        return jax.vmap(lambda s: u(0.2, s))(jnp.stack([x, x, x]))

    timed = lambda u, x: f(lambda t, x: u(jnp.full(x.shape[0], t), x), x)
    assert passes(timed, x, x) == (5 * 2 * 8 + 3 * 8, 0, False)


@pytest.mark.slow
def test_an_adaptive_loss_says_so():
    online = partial(losses.lte, online=True)
    gradient = lambda u, theta, paths: jax.value_and_grad(
        lambda theta: online(FAMILY, theta, u, paths)
    )(theta)
    assert passes(gradient, PATHS.x0, FAMILY.init(), PATHS).adaptive
    with pytest.raises(ValueError, match="not known in advance.*without online=True"):
        fit(loss=online, evaluations=1e9)
    bare = PATHS._replace(stats=None)
    with pytest.raises(ValueError, match="these paths have no stats"):
        bj.fit(FAMILY, FIELD, bare, loss=online, key=jax.random.key(0), batch_size=8)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "loss", "forward"), CASES[::2])
def test_the_history_is_what_the_field_was_asked_for(family, loss, forward):
    """Evaluations counted by the field itself, as it runs."""
    seen = []

    def counting(t, x, c=None):
        jax.debug.callback(lambda t: seen.append(t.size), t)
        return FIELD(t, x)

    fitted = fit(family, counting, loss=loss)
    jax.effects_barrier()
    reverse = 6 * ROWS
    assert fitted.evaluations == STATS.evaluations + sum(seen) + 2 * reverse
    # Truth, checks and the two scores of the start; then 4 and 2 iterations, each with
    # a validation; and the last test. 10 paths are 2 batches of 5.
    score, iteration = 10 * 4, (forward + 2) * ROWS
    before = STATS.evaluations + 5 + 2 * score
    want = [before, before + 4 * iteration + score, before + 6 * iteration + 2 * score]
    assert list(fitted.history.evaluations) == want
    assert fitted.evaluations == want[-1] + score


def test_scores_come_in_batches_with_little_filling_up():
    """17 validation paths in batches of at most 8: 3 of 6, one sample twice."""
    fitted = fit(validation=17 / 50, iterations=1)
    first, last = fitted.history.evaluations
    assert first == STATS.evaluations + 5 + (18 + 10) * 4
    assert last == first + 3 * ROWS + 18 * 4


@pytest.mark.slow
def test_a_budget_is_kept_and_the_least_is_told():
    with pytest.raises(TooLittle, match="evaluations=100 is too little") as refused:
        fit(evaluations=100)
    least = refused.value.least
    assert least == STATS.evaluations + 5 + 4 * 40 + 3 * ROWS
    assert str(least) in str(refused.value).replace(",", "")
    with pytest.raises(TooLittle):
        fit(evaluations=least - 1)
    fitted = fit(evaluations=least)
    assert fitted.evaluations == least and list(fitted.history.iteration) == [0, 1]
    for more in range(0, 900, 47):
        fitted = fit(evaluations=least + more)
        assert fitted.evaluations <= least + more
        # And not much is left: less than one more iteration with its validation.
        done = fitted.history.iteration[-1]
        assert done == 6 or least + more - fitted.evaluations < 3 * ROWS + 40


def test_a_budget_only_cuts_the_run_short():
    """The same iterates as without one, up to where it ends."""
    whole = fit(iterations=12)
    short = fit(iterations=12, evaluations=whole.history.evaluations[2] + 40)
    np.testing.assert_array_equal(short.history.rmse, whole.history.rmse[:3])
    assert short.evaluations == whole.history.evaluations[2] + 40


@pytest.mark.slow
def test_seconds_are_kept():
    fit(iterations=5)  # compiled
    began = time.perf_counter()
    fitted = fit(iterations=10**9, seconds=3.0)
    assert time.perf_counter() - began < 3.5
    assert 1.0 < fitted.history.seconds[-1] < 3.1
    assert fitted.history.iteration[-1] > 10
    with pytest.raises(ValueError, match="seconds=1e-06 is too little"):
        fit(seconds=1e-6)

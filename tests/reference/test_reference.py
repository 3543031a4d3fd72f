"""Ground truth: closed-form ends, tolerance per sample, cost, certificate, failures."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import GAUSSIAN, field, gaussian_flow, random_mixture

import bespoke_jax as bj
from bespoke_jax.reference import pipeline
from bespoke_jax.reference.paths import at, rms, split, take

SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
FIELD = field(SCHEDULE, GAUSSIAN)
X0 = jax.random.normal(jax.random.key(0), (20, 2))


@pytest.fixture(scope="module")
def paths():
    return bj.reference.solve(
        FIELD, X0, end=END, rtol=1e-7, atol=1e-7, batch_size=16, progress=False
    )


@pytest.mark.slow
def test_end_points_are_the_closed_form(paths):
    exact = gaussian_flow(SCHEDULE, GAUSSIAN, X0, 0.0, END)
    error = rms(paths.x1 - exact)
    assert float(error.max()) < 1e-6
    # The certificate's estimate of the same error: right to a small factor.
    measured = float(error[: paths.certificate.samples].max())
    assert measured / 3 < paths.certificate.endpoint < 3 * measured


@pytest.mark.slow
def test_dense_states_follow_the_path_between_knots(paths):
    t = jnp.linspace(0.0, END, 301)
    x, v = at(paths, t)
    exact = jax.vmap(lambda t: gaussian_flow(SCHEDULE, GAUSSIAN, X0, 0.0, t))(t)
    assert float(jax.vmap(rms)(x - exact).max()) < 1e-5
    want = jax.vmap(FIELD)(t[:-1], exact[:-1])
    assert float(jax.vmap(rms)(v[:-1] - want).max()) < 1e-2
    assert np.all(np.diff(paths.knots) > 0)
    assert paths.knots[0] == 0 and paths.knots[-1] == END
    chex.assert_trees_all_equal(paths.states[:, 0], X0)


@pytest.mark.slow
def test_slopes_are_the_field_at_the_knots(paths):
    want = jax.vmap(FIELD, (0, 1), 1)(paths.knots, paths.states)
    chex.assert_trees_all_close(paths.slopes, want, atol=1e-10)


@pytest.mark.slow
def test_no_sample_hides_behind_the_others():
    """One stiff sample in a batch of easy ones is solved as well as alone."""
    rate = jnp.array([0.0] * 15 + [60.0])
    stiff = lambda t, x, c: -c[:, None] * (x - jnp.reshape(jnp.sin(30 * t), (-1, 1)))
    x0 = jnp.ones((16, 3))
    solved = lambda x0, c: bj.reference.solve(
        stiff, x0, c=c, rtol=1e-5, atol=1e-5, progress=False
    )
    together, alone = solved(x0, rate), solved(x0[-1:], rate[-1:])
    k, w = 60.0, 30.0
    # x' = -k (x - sin w t), x(0) = 1, at t = 1.
    particular = k * (k * np.sin(w) - w * np.cos(w)) / (k**2 + w**2)
    exact = particular + (1 + k * w / (k**2 + w**2)) * np.exp(-k)
    assert abs(float(together.x1[-1, 0]) - exact) < 1e-4
    chex.assert_trees_all_close(together.x1[-1], alone.x1[0], atol=1e-12)
    assert together.stats.nfe_max == alone.stats.nfe_max > 2 * together.stats.nfe_mean


@pytest.mark.slow
def test_dopri5_agrees_with_tsit5():
    mixture = field(bj.schedules.CondOT(), random_mixture(0))
    ends = [
        bj.reference.solve(
            mixture, X0, rtol=1e-7, atol=1e-7, method=method, progress=False
        ).x1
        for method in ("tsit5", "dopri5")
    ]
    chex.assert_trees_all_close(*ends, atol=2e-5)


@pytest.mark.slow
def test_batching_changes_nothing(paths):
    small = bj.reference.solve(
        FIELD, X0, end=END, rtol=1e-7, atol=1e-7, batch_size=7, progress=False
    )
    chex.assert_trees_all_close(small.states, paths.states, atol=1e-12)
    assert small.stats.nfe_mean == paths.stats.nfe_mean


@pytest.mark.slow
def test_interrupted_and_resumed_is_bitwise_the_same(tmp_path, paths, monkeypatch):
    original, batches = pipeline.slopes_at, []

    def interrupted(field, times, states, c):
        batches.append(states.shape[0])
        if len(batches) == 2:
            raise KeyboardInterrupt
        return original(field, times, states, c)

    monkeypatch.setattr(pipeline, "slopes_at", interrupted)
    solve = lambda rtol=1e-7: bj.reference.solve(
        FIELD, X0, end=END, rtol=rtol, atol=1e-7, batch_size=16, progress=False,
        directory=tmp_path,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        solve()
    resumed = solve()
    assert len(batches) == 3  # only the second batch again
    for name in ("x1", "knots", "states", "slopes"):
        chex.assert_trees_all_equal(getattr(resumed, name), getattr(paths, name))
    assert resumed.certificate == paths.certificate
    assert resumed.stats.evaluations == paths.stats.evaluations
    with pytest.raises(ValueError, match="holds another run .rtol"):
        solve(rtol=1e-5)


@pytest.mark.slow
def test_split_and_take(paths):
    first, last = split(paths, 0.25)
    assert (first.size, last.size) == (15, 5)
    chex.assert_trees_all_equal(last.x1, paths.x1[15:])
    chex.assert_trees_all_equal(take(paths, np.array([3])).slopes[0], paths.slopes[3])
    with pytest.raises(ValueError, match="held_out must be a number in"):
        split(paths, 1.5)


@pytest.mark.slow
def test_a_failed_solve_names_samples_time_and_tolerance():
    def blows_up(t, x):  # x' = x^2 reaches infinity at t = 1 / x(0)
        return x**2

    x0 = jnp.array([[0.1], [2.0]])
    with pytest.raises(
        RuntimeError, match=r"samples 1\).*t = 0\.5\d* of 1 at rtol = 1e-0"
    ):
        bj.reference.solve(blows_up, x0, max_steps=300, progress=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"end": 1.5}, "end must be a number in"),
        ({"rtol": 0.0}, "rtol must be a finite number above 0"),
        ({"method": "tsitt5"}, "tsit5"),
        ({"batch_size": 0}, "batch_size"),
        ({"c": np.ones(3)}, "leading axis batch = 20"),
    ],
)
def test_wrong_arguments_are_explained(options, words):
    with pytest.raises(ValueError, match=words):
        bj.reference.solve(FIELD, X0, progress=False, **options)


def test_non_finite_noise_is_refused():
    with pytest.raises(ValueError, match="not finite in samples"):
        bj.reference.solve(FIELD, X0.at[3, 0].set(jnp.nan), progress=False)


def test_a_field_of_nan_is_reported_at_once():
    nan = lambda t, x: jnp.full_like(x, jnp.nan)
    with pytest.raises(ValueError, match="not finite at t = 0.1"):
        bj.reference.solve(nan, X0, progress=False)

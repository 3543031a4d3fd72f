"""The non-stationary family: counts, containment, exactness on one point, insertion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import field, random_mixture

import bespoke_jax as bj
from bespoke_jax.families import insert, nonstationary

PATHS = {
    "cond_ot": (bj.schedules.CondOT(), 1.0),
    "cosine": (bj.schedules.Cosine(), 1.0),
    "vp": (bj.schedules.VP(), 1 - 1e-3),
    "edm": (bj.schedules.EDM(), 1.0),
}
STARTS = (
    "euler", "midpoint", "ddim", "dpm_solver_pp_2m", "unipc", "deis_tab", "ipndm",
    "edm_dpm_2", "scire_v1_2m", "scire_v1_2",
)  # fmt: skip


def families(n):
    return {
        name: nonstationary(n, schedule=schedule, end=end)
        for name, (schedule, end) in PATHS.items()
    }


@pytest.mark.parametrize(("n", "free"), [(4, 17), (8, 51), (16, 167)])
def test_free_numbers_are_those_of_the_paper(n, free):
    theta = nonstationary(n).init()
    assert sum(leaf.size for leaf in jax.tree.leaves(theta)) == free
    assert free == n * (n + 5) // 2 - 1


@pytest.mark.parametrize("path", PATHS)
def test_contains_the_solvers_of_the_table(path):
    schedule, end = PATHS[path]
    family = families(4)[path]
    for name in STARTS:
        start = bj.solvers.construct(name, 4, schedule=schedule, end=end)
        made = family.build(family.init(start))
        np.testing.assert_allclose(made.t, start.t, atol=1e-12)
        pairs = zip(
            bj.canonical(start), bj.canonical(jax.device_get(made)), strict=True
        )
        for ours, theirs in pairs:
            size = np.abs(ours).max()
            np.testing.assert_allclose(theirs, ours, atol=1e-10 * size, err_msg=name)


@pytest.mark.parametrize("path", PATHS)
def test_consistent_methods_have_weights_of_order_one(path):
    schedule, end = PATHS[path]
    theta = families(8)[path].init(bj.solvers.ddim(schedule, nfe=8, end=end))
    rows = np.zeros((8, 8))
    rows[np.tril_indices(8)] = theta["b"]
    np.testing.assert_allclose(theta["a"], 0, atol=1e-9)
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-9)
    assert np.abs(rows).max() <= 1 + 1e-9


@pytest.mark.parametrize("path", PATHS)
def test_a_zero_and_weights_of_sum_one_are_exact_for_one_point_at_any_times(path):
    schedule, end = PATHS[path]
    family = families(5)[path]
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((5, 5))
    rows[:, 0] += 1 - np.tril(rows).sum(1)
    theta = {
        "t": jnp.asarray(rng.standard_normal(4)),
        "a": jnp.zeros(5),
        "b": jnp.asarray(rows[np.tril_indices(5)]),
    }
    solver = family.build(theta)
    point = random_mixture(0, dim=3, modes=1, std=0.0)
    noise = jnp.asarray(rng.standard_normal((6, 3)))
    x0 = schedule(0.0)[0] * point.mu + schedule(0.0)[1] * noise
    states = bj.trajectory(field(schedule, point), solver, x0)
    for t, x in zip(np.append(solver.t, end), states, strict=True):
        alpha, sigma = schedule(t)
        scale = max(1.0, float(schedule(0.0)[1]))
        np.testing.assert_allclose(
            x, alpha * point.mu + sigma * noise, atol=1e-9 * scale
        )


def test_times_are_ordered_whatever_theta_is():
    family = nonstationary(6, end=0.9)
    theta = family.init()
    for seed in range(5):
        z = 4 * jax.random.normal(jax.random.key(seed), theta["t"].shape)
        t = np.append(family.build({**theta, "t": z}).t, 0.9)
        assert t[0] == 0
        assert np.all(np.diff(t) > 0)


@pytest.mark.slow
def test_repeated_times_stay_and_have_finite_gradients():
    schedule, end = PATHS["vp"]
    family = families(4)["vp"]
    start = bj.solvers.heun(steps=2, end=end)
    theta = family.init(start)
    np.testing.assert_allclose(family.build(theta).t, start.t, atol=1e-12)
    x0 = jnp.ones((2, 3))
    velocity = field(schedule, random_mixture(0, dim=3))
    square = lambda theta: jnp.sum(bj.sample(velocity, family.build(theta), x0) ** 2)
    gradient = jax.grad(square)(theta)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert gradient["t"][1] == 0  # the logit of -inf


@pytest.mark.parametrize("path", PATHS)
def test_an_inserted_evaluation_changes_nothing(path):
    schedule, end = PATHS[path]
    start = bj.solvers.construct("dpm_solver_2m", 4, schedule=schedule, end=end)
    for t in (0.05, 0.4, 0.9):
        larger = insert(start, t, schedule=schedule)
        assert larger.nfe == 5
        assert t == pytest.approx(larger.t[np.argmin(np.abs(larger.t - t))], abs=1e-12)
        where = int(np.argmin(np.abs(larger.t - t)))
        a, b = bj.canonical(larger)
        old_a, old_b = bj.canonical(start)
        size = np.abs(old_b).max()
        assert np.all(b[where:, where] == pytest.approx(0, abs=1e-9 * size))
        np.testing.assert_allclose(
            np.delete(b, where, 1)[-1], old_b[-1], atol=1e-9 * size
        )
        assert a[-1] == pytest.approx(old_a[-1], rel=1e-9)


def test_bad_input_is_told():
    family = nonstationary(4)
    with pytest.raises(
        ValueError, match="nfe must be a whole number of at least 1; got 0"
    ):
        nonstationary(0)
    with pytest.raises(ValueError, match="end must be a number in"):
        nonstationary(4, end=1.5)
    with pytest.raises(ValueError, match="4 evaluations; the start 5"):
        family.init(bj.solvers.euler(steps=5))
    with pytest.raises(ValueError, match="ends at 1.0, the start at 0.9"):
        family.init(bj.solvers.euler(steps=4, end=0.9))
    with pytest.raises(ValueError, match="sigma is 0"):
        family.init(bj.solvers.heun(steps=2))
    with pytest.raises(ValueError, match="got dict"):
        family.init({})
    late = bj.solvers.euler(steps=4, grid=[0.1, 0.3, 0.5, 0.8, 1.0])
    with pytest.raises(ValueError, match="starts at 0.0, the start solver at 0.1"):
        family.init(late)
    with pytest.raises(ValueError, match="no one-step maps"):
        family.steps(family.init())
    with pytest.raises(ValueError, match=r"lie in \(0.0, 1.0\); got 1.0"):
        insert(bj.solvers.euler(steps=4), 1.0)

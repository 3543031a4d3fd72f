"""Losses: x^aux and its exact gradient, the bound, equal execution modes, golden."""

import json
import operator
from functools import partial
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from oracles import GAUSSIAN, Mixture, field, gaussian_flow, gaussian_paths
from scale_time_cases import CALO, perturbed

import bespoke_jax as bj
from bespoke_jax import losses
from bespoke_jax.families import scale_time
from bespoke_jax.reference.paths import Paths, at, rms

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden.json").read_text())
GOLDEN_A = Mixture(*(np.array(GOLDEN["field"][k]) for k in ("w", "mu", "s")))
SCHEDULE, END = bj.schedules.Cosine(), 0.98
FIELD = field(SCHEDULE, GAUSSIAN)


PATHS = gaussian_paths(SCHEDULE, GAUSSIAN, 4, END)
CONDITIONAL = Partial(lambda field, t, x, c: c[:, None] * field(t, x), FIELD)


def bound_on_exact_paths(family, theta):
    """Equation 26 written out on the closed-form flow; no stop-gradient anywhere."""
    steps = family.steps(theta)
    exact = jax.vmap(lambda t: gaussian_flow(SCHEDULE, GAUSSIAN, PATHS.x0, 0.0, t))(
        steps.times
    )
    lipschitz = steps.lipschitz(1.0)
    total = 0.0
    n = lipschitz.size
    for i in range(1, n + 1):
        m_i = jnp.prod(lipschitz[i:])  # L_i .. L_{n-1}; the empty product is 1
        rows = jax.tree.map(operator.itemgetter(i - 1), steps.rows)
        step = bj.sample(FIELD, rows, exact[i - 1])
        total += m_i * jnp.mean(rms(exact[i] - step))
    return total


def value_and_grad(loss, theta):
    # Jitted as a whole: one by one, each operation would compile on its own.
    return jax.jit(jax.value_and_grad(loss))(theta)


@pytest.mark.slow
@pytest.mark.parametrize("base", ["euler", "midpoint"])
def test_bound_and_its_gradient_are_those_of_the_exact_path(base):
    family = scale_time(3, base=base, end=END)
    theta = perturbed(family, 0)
    got = value_and_grad(lambda th: losses.rmse_bound(family, th, FIELD, PATHS), theta)
    want = value_and_grad(lambda th: bound_on_exact_paths(family, th), theta)
    chex.assert_trees_all_close(got, want, rtol=1e-6, atol=1e-8)


def test_x_aux_has_the_value_and_derivative_of_the_path():
    t = jnp.array([0.1, 0.5, 0.9])
    aux = jax.jit(
        lambda t: jax.jvp(lambda t: losses.x_aux(PATHS, t), (t,), (1 + 0 * t,))
    )
    got, rate = aux(t)
    want = jax.vmap(lambda t: gaussian_flow(SCHEDULE, GAUSSIAN, PATHS.x0, 0.0, t))(t)
    chex.assert_trees_all_close(got, want, atol=1e-9)
    chex.assert_trees_all_close(rate, jax.vmap(FIELD)(t, want), atol=1e-6)


def test_no_gradient_reaches_the_ground_truth():
    family = scale_time(3, end=END)
    theta = family.init()
    loss = lambda states: losses.rmse_bound(
        family, theta, FIELD, PATHS._replace(states=states)
    )
    assert float(jnp.abs(jax.jit(jax.grad(loss))(PATHS.states)).max()) == 0.0


def test_interpolation_is_exact_on_cubics():
    knots = jnp.array([0.0, 0.2, 0.5, 1.0])
    cubic = lambda t: jnp.stack([t**3 - t, 2 * t**2 + 1.0])
    rate = lambda t: jnp.stack([3 * t**2 - 1, 4 * t])
    states, slopes = jax.vmap(cubic)(knots)[None], jax.vmap(rate)(knots)[None]
    paths = Paths(states[:, 0], states[:, -1], None, knots, states, slopes, 1.0)
    t = jnp.linspace(0, 1, 23)
    x, v = at(paths, t)
    chex.assert_trees_all_close(x[:, 0], jax.vmap(cubic)(t), atol=1e-14)
    chex.assert_trees_all_close(v[:, 0], jax.vmap(rate)(t), atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [losses.rmse_bound, losses.lte])
def test_one_step_at_a_time_is_the_same_loss(loss):
    family = scale_time(4, end=END)
    theta = perturbed(family, 1)
    both = [
        value_and_grad(
            lambda th, s=sequential: loss(family, th, FIELD, PATHS, sequential=s), theta
        )
        for sequential in (False, True)
    ]
    chex.assert_trees_all_close(*both, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "sequential"), [(losses.rmse_bound, True), (losses.lte, False)]
)
def test_online_ground_truth_is_the_same_loss(loss, sequential):
    """Solving at t_i inside the loss: cached value and gradient, to the tolerance."""
    family = scale_time(3, end=END)
    theta = perturbed(family, 1)
    field, paths = CONDITIONAL, PATHS._replace(c=jnp.ones(PATHS.size))
    both = [
        jax.jit(
            jax.value_and_grad(lambda theta, o=options: loss(
                family, theta, field, paths, sequential=sequential, **o))
        )(theta)
        for options in ({}, {"online": True, "tolerance": 1e-9})
    ]  # fmt: skip
    chex.assert_trees_all_close(*both, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_online_ground_truth_reads_nothing_but_the_noise():
    family = scale_time(1, end=END)  # one step: no inner time to solve for
    bare = PATHS._replace(states=None, slopes=None, knots=None)
    loss = partial(losses.lte, family, family.init(), FIELD)
    got = jax.jit(lambda paths: loss(paths, online=True, tolerance=1e-9))(bare)
    assert float(got) == pytest.approx(float(loss(PATHS)), rel=1e-8)


@pytest.mark.slow
def test_checkpointed_direct_loss_is_the_same():
    family = scale_time(4, end=END)
    theta = perturbed(family, 1)
    both = [
        value_and_grad(
            lambda th, f=flag: losses.rmse(family, th, FIELD, PATHS, checkpoint=f),
            theta,
        )
        for flag in (False, True)
    ]
    chex.assert_trees_all_close(*both, rtol=1e-12)
    x1 = bj.sample(FIELD, family.build(theta), PATHS.x0)
    assert float(both[0][0]) == pytest.approx(float(jnp.mean(rms(x1 - PATHS.x1))))


def test_mse_and_psnr_are_one_error_on_two_scales():
    family = scale_time(3, end=END)
    theta = perturbed(family, 1)

    @jax.jit
    def both(theta):
        pair = lambda loss: jax.value_and_grad(loss, argnums=1)(
            family, theta, FIELD, PATHS
        )
        x1 = bj.sample(FIELD, family.build(theta), PATHS.x0)
        return pair(losses.mse), pair(losses.psnr), x1

    (mse, by_mse), (psnr, by_psnr), x1 = both(theta)
    error = np.asarray(x1 - PATHS.x1)
    np.testing.assert_allclose(mse, np.mean(error**2), rtol=1e-12)
    np.testing.assert_allclose(psnr, 10 * np.log10(mse), rtol=1e-12)
    relative = jax.tree.map(lambda g: 10 / np.log(10) * g / mse, by_mse)
    chex.assert_trees_all_close(by_psnr, relative, rtol=1e-10)


@pytest.mark.slow
def test_bound_holds_with_the_true_lipschitz_constant():
    """Equation 27: L_bes >= L_RMSE when L_tau is at least the field's constant."""
    times = jnp.linspace(0.0, END, 2001)
    jacobian = jax.vmap(jax.jacfwd(lambda x, t: FIELD(t, x[None])[0]), (None, 0))
    l_u = float(jnp.abs(jacobian(jnp.zeros(2), times)).max())
    family = scale_time(3, end=END)
    pair = jax.jit(
        lambda theta: (
            losses.rmse(family, theta, FIELD, PATHS),
            losses.rmse_bound(family, theta, FIELD, PATHS, l_tau=l_u),
        )
    )
    for seed in range(30):
        direct, bound = pair(perturbed(family, seed, 0.5))
        assert direct <= bound * (1 + 1e-9)


def test_conditioning_reaches_every_step():
    conditional = lambda t, x, c: c[:, None] * jnp.ones_like(x)
    c = jnp.array([1.0, -2.0, 0.5])
    x0 = jnp.zeros((3, 2))
    knots = jnp.linspace(0.0, 1.0, 5)
    states = jnp.broadcast_to(c[:, None, None] * knots[None, :, None], (3, 5, 2))
    slopes = jnp.broadcast_to(c[:, None, None], (3, 5, 2))
    paths = Paths(x0, states[:, -1], c, knots, states, slopes, 1.0)
    family = scale_time(3)
    jitted = lambda loss: jax.jit(loss, static_argnums=(0, 2))
    for loss in (losses.rmse_bound, losses.lte, losses.rmse, losses.mse):
        assert jitted(loss)(family, family.init(), conditional, paths) < 1e-11
    sequential = partial(losses.rmse_bound, sequential=True)
    assert jitted(sequential)(family, family.init(), conditional, paths) < 1e-11


@pytest.mark.slow
@pytest.mark.parametrize("entry", CALO[:6], ids=lambda e: e["id"])
def test_bound_agrees_with_calo_dreamer(entry):
    """Its Lipschitz constants and its bound, on the path it was given."""
    extra, n = entry["extra"], entry["params"]["num_steps"]
    base = "euler" if entry["params"]["solver"] == "BespokeEuler" else "midpoint"
    family = scale_time(n, base=base)
    gaps = np.log(np.diff(np.array(extra["t"])))
    theta = {
        "t": jnp.asarray(gaps[:-1] - gaps[-1]),
        "t_dot": jnp.log(jnp.array(extra["t_dot"])),
        "s": jnp.log(jnp.array(extra["s"][1:])),
        "s_dot": jnp.array(extra["s_dot"]),
    }
    steps = family.steps(theta)
    np.testing.assert_allclose(steps.lipschitz(1.0), extra["lipschitz"], rtol=1e-12)
    states = jnp.swapaxes(jnp.array(extra["path_x_true"]), 0, 1)  # (6, n + 1, 3)
    paths = Paths(
        states[:, 0], states[:, -1], None, steps.times, states, 0 * states, 1.0
    )
    got = losses.rmse_bound(
        family, theta, field(bj.schedules.CondOT(), GOLDEN_A), paths
    )
    assert float(got) == pytest.approx(np.mean(extra["gte_bound"]), rel=1e-8)


@pytest.mark.slow
def test_one_step_at_a_time_needs_no_more_memory_for_more_steps():
    def deep(w, t, x):
        h = jnp.tile(x, (1, 32))
        for _ in range(6):
            h = jnp.tanh(h @ w)
        return h[:, :2]

    paths = gaussian_paths(SCHEDULE, GAUSSIAN, 256, END, knots=33)
    w = jnp.eye(64)

    def peak(n, sequential):
        family = scale_time(n, end=END)
        loss = lambda theta, w, paths: losses.rmse_bound(
            family, theta, Partial(deep, w), paths, sequential=sequential
        )
        compiled = jax.jit(jax.grad(loss)).lower(family.init(), w, paths).compile()
        analysis = compiled.memory_analysis()
        assert analysis is not None
        return analysis.temp_size_in_bytes

    assert peak(24, True) <= 1.15 * peak(2, True)
    assert peak(24, False) >= 6 * peak(2, False)  # the batched call pays for all n

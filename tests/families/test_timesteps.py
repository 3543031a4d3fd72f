"""Learned time grids: closed-form slopes, start, order, transforms, a fit."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import GAUSSIAN, field, gaussian_paths

import bespoke_jax as bj
from bespoke_jax import losses
from bespoke_jax.families import timesteps

END = 1 - 1e-3
VP, COND_OT = bj.schedules.VP(), bj.schedules.CondOT()
GRID = bj.grids.log_snr(4, VP, END)


def two_step(times):
    return bj.solvers.dpm_solver_pp_2m(VP, nfe=4, grid=times)


def two_stage(times):
    return bj.solvers.dpm_solver_2(VP, nfe=8, grid=times)


FAMILY = timesteps(two_step, GRID)
FIELD = field(VP, GAUSSIAN)
PATHS = gaussian_paths(VP, GAUSSIAN, 48, END, knots=3)


def moved(family, seed, size=0.5):
    z = family.init()["t"]
    return {"t": z + size * jax.random.normal(jax.random.key(seed), z.shape)}


def euler_rows(t):
    return jnp.ones(t.size - 1), jnp.diff(t)


def ddim_rows(t):
    """Weights of x_s and u_s in alpha_t x_1 + sigma_t eps."""
    (alpha, sigma), (d_alpha, d_sigma) = VP(t), VP.rates(t)
    (a_s, a), (s_s, s) = (alpha[:-1], alpha[1:]), (sigma[:-1], sigma[1:])
    w = s_s * d_alpha[:-1] - a_s * d_sigma[:-1]
    return (s * d_alpha[:-1] - a * d_sigma[:-1]) / w, (a * s_s - s * a_s) / w


@pytest.mark.parametrize(
    ("schedule", "rows"), [(COND_OT, euler_rows), (VP, ddim_rows)], ids=["euler", "vp"]
)
def test_slopes_are_those_of_the_closed_form(schedule, rows):
    """DDIM on CondOT is Euler: p = 1, q_i = t_{i+1} - t_i."""
    ddim = lambda times: bj.solvers.ddim(schedule, nfe=4, grid=times)
    family = timesteps(ddim, GRID)

    def written_out(theta):
        t = family.values(theta)["t"]
        return t[:-1], *rows(t)

    def built(theta):
        solver = family.build(theta)
        return solver.t, solver.p[:, 0], solver.q[:, 0]

    # Forward mode, batched; the gradient of the loss below is in reverse.
    both = lambda f: jax.vmap(lambda theta: (f(theta), jax.jacfwd(f)(theta)))
    thetas = jax.tree.map(lambda *z: jnp.stack(z), *(moved(family, k) for k in (0, 1)))
    got, want = jax.jit(lambda z: (both(built)(z), both(written_out)(z)))(thetas)
    chex.assert_trees_all_close(got[0], want[0], rtol=1e-12)
    for slope, exact in zip(got[1], want[1], strict=True):
        scale = float(jnp.abs(exact["t"]).max())
        np.testing.assert_allclose(slope["t"], exact["t"], atol=1e-7 * scale)


@pytest.mark.parametrize("constructor", [two_step, two_stage])
@pytest.mark.parametrize(("dtype", "atol"), [("float64", 1e-13), ("float32", 1e-6)])
def test_start_is_the_constructor_on_its_grid(constructor, dtype, atol):
    family = timesteps(constructor, GRID)
    theta = jax.tree.map(lambda z: z.astype(dtype), family.init())
    want = constructor(GRID)
    chex.assert_trees_all_close(
        family.build(theta), jax.tree.map(jnp.asarray, want), atol=atol
    )
    assert family.build(theta).nfe == want.nfe
    np.testing.assert_allclose(family.values(theta)["t"], GRID, atol=atol)


def test_gradient_of_a_loss_is_its_finite_difference():
    theta = moved(FAMILY, 1)
    loss = lambda theta: losses.rmse(FAMILY, theta, FIELD, PATHS)
    both = jax.jit(jax.value_and_grad(loss))
    slope = both(theta)[1]["t"]
    for i, z in enumerate(1e-4 * np.eye(3)):
        up, down = (both({"t": theta["t"] + sign * z})[0] for sign in (1, -1))
        np.testing.assert_allclose(slope[i], (up - down) / 2e-4, rtol=1e-6)


@pytest.mark.parametrize("size", [1.0, 5.0, 50.0])
def test_times_are_ordered_for_any_theta(size):
    for seed in range(20):
        t = np.asarray(FAMILY.values(moved(FAMILY, seed, size))["t"])
        assert t[0] == 0 and t[-1] == END and t.size == GRID.size
        assert np.all(np.diff(t) >= 0) and (size > 1 or np.all(np.diff(t) > 0))


@pytest.mark.slow
def test_fitting_the_times_lowers_the_error():
    fitted = bj.fit(
        FAMILY, FIELD, PATHS, key=jax.random.key(0), loss=losses.mse, batch_size=16,
        optimizer=optax.adam(0.05), iterations=40, validate_every=20, progress=False,
    )  # fmt: skip
    assert fitted.rmse < 0.8 * fitted.start_rmse
    again = two_step(np.asarray(FAMILY.values(fitted.theta)["t"]))
    chex.assert_trees_all_close(
        fitted.solver, jax.tree.map(jnp.asarray, again), atol=1e-12
    )


def test_coinciding_times_build_nan():
    for z in ([50.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [-50.0, -50.0, 0.0]):
        theta = {"t": jnp.array(z)}
        solver, slopes = jax.jvp(FAMILY.build, (theta,), (theta,))
        assert all(np.isnan(leaf).all() for leaf in (*solver, *slopes))


def test_other_times_are_a_start():
    other = np.linspace(0, END, 5)
    got = FAMILY.values(FAMILY.init(other))["t"]
    np.testing.assert_allclose(got, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (two_step(GRID), "pass its times"),
        (GRID[:-1], "5 times from 0"),
        (np.linspace(0, 0.9, 5), "5 times from 0"),
        (1 - GRID, "diffusion time"),
    ],
)
def test_starts_outside_the_family_are_refused(start, words):
    with pytest.raises(ValueError, match=words):
        FAMILY.init(start)


def test_there_are_no_one_step_maps():
    with pytest.raises(ValueError, match="no one-step maps.*losses.rmse, mse or psnr"):
        losses.rmse_bound(FAMILY, FAMILY.init(), FIELD, PATHS)


def test_windows_must_not_depend_on_the_times():
    short = two_step(GRID)
    long = bj.solvers.dpm_solver_pp_3m(VP, nfe=4, grid=GRID, lower_order_final=False)
    special = lambda times: short if times[1] == GRID[1] else long
    with pytest.raises(ValueError, match="one form on all grids"):
        timesteps(special, GRID)
    calls = itertools.count()
    at_first = lambda times: short if next(calls) < 7 else long
    family = timesteps(at_first, GRID)  # 1 table and 6 for the slopes
    with pytest.raises(Exception, match="one form on all grids"):
        jax.block_until_ready(jax.jit(family.build)(family.init()))


@pytest.mark.parametrize("grid", [[0.0, END], [0.0, 1e-12, END]])
def test_wrong_grids_are_explained(grid):
    with pytest.raises(ValueError, match="timesteps needs 3 or more times"):
        timesteps(two_step, grid)


def test_same_arguments_same_family():
    assert timesteps(two_step, GRID.tolist()) is FAMILY
    assert timesteps(two_step, GRID, name="2M") is not FAMILY
    assert timesteps(two_step, GRID, name="2M").name == "2M"
    assert timesteps(two_stage, GRID).name != FAMILY.name

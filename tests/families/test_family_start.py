"""Families whose interval starts later than noise: every identity holds there too."""

import functools
from typing import Any

import chex
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import GAUSSIAN, field, gaussian_flow, random_mixture
from scale_time_cases import (
    BASES,
    ddim,
    dpm_solver_2,
    perturbed,
    rank,
    regauged,
    rich,
    same_solver,
    wave,
)

import bespoke_jax as bj
from bespoke_jax.families import (
    from_path,
    from_schedules,
    insert,
    nonstationary,
    scale_time,
    timesteps,
)
from bespoke_jax.reference.paths import Paths

START, END = 0.3, 0.98
VP, EDM, COND_OT = bj.schedules.VP(), bj.schedules.EDM(), bj.schedules.CondOT()
MIXTURE = random_mixture(2)
X0 = jax.random.normal(jax.random.key(0), (3, 2))
late = functools.partial(scale_time, start=START, end=END)
GRID = np.array([START, 0.45, 0.7, 0.9, END])


@pytest.mark.parametrize("learn", ["both", "time", "scale"])
@pytest.mark.parametrize("base", BASES)
def test_the_base_solver_is_the_identity(base, learn):
    family = late(3, base=base, learn=learn)
    grid = np.linspace(START, END, 4)
    solver = bj.solvers.TABLE[base].constructor(steps=3, grid=grid, end=END)
    same_solver(family.build(family.init()), solver, atol=1e-13)
    chex.assert_trees_all_close(family.init(solver), family.init(), atol=1e-11)


@pytest.mark.parametrize("base", ["euler", "midpoint", "ralston"])
def test_init_inverts_build(base):
    family = late(4, base=base)
    solver = family.build(perturbed(family, 3))
    assert float(solver.t[0]) == START and float(solver.end) == END
    same_solver(family.build(family.init(solver)), solver, atol=1e-13)
    rounded = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), solver)
    same_solver(family.build(family.init(rounded)), solver, atol=1e-5)


def test_ddim_and_dpm_solver_2_are_in_the_family():
    for base, method in (("euler", ddim), ("midpoint", dpm_solver_2)):
        family, solver = late(4, base=base), method(VP, GRID)
        same_solver(family.build(family.init(solver)), solver)


@pytest.mark.parametrize("base", ["euler", "midpoint"])
def test_effective_numbers_do_not_depend_on_the_gauge(base):
    family = late(4, base=base)
    theta = perturbed(family, 6)
    other = regauged(family, base, theta, 4)
    s, moved = family.values(theta)["s"], family.values(other)["s"]
    assert float(jnp.abs(s - moved).max()) > 0.1
    effective = jax.jit(family.effective)
    chex.assert_trees_all_close(effective(theta), effective(other), atol=1e-12)
    same_solver(family.build(theta), family.build(other), atol=1e-12)


@pytest.mark.parametrize(("base", "per_step"), [("euler", 3), ("midpoint", 7)])
def test_as_many_numbers_matter_as_from_noise(base, per_step):
    family = late(4, base=base)
    theta, unravel = jax.flatten_util.ravel_pytree(perturbed(family, 10))
    x0 = 2 * jax.random.normal(jax.random.key(2), (60, 1))

    def both(flat):
        theta = unravel(flat)
        return family.effective(theta), bj.sample(rich, family.build(theta), x0)

    by_number, by_sample = jax.jit(jax.jacfwd(both))(theta)
    assert rank(jax.tree.leaves(by_number)) == per_step * 4 - 1
    assert rank([by_sample]) == per_step * 4 - 1


def smooth_time(r):
    """t(r) from START to END with t' > 0."""
    return START + (END - START) * (0.6 * r + 0.4 * r**2)


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_theorem_2_2_order_survives_a_smooth_map(base):
    """On dx/dt = -x + sin t, whose solution from any time is closed."""
    u = lambda t, x, c=None: -x + jnp.sin(jnp.reshape(t, (-1, 1)))
    particular = lambda t: (np.sin(t) - np.cos(t)) / 2
    exact = particular(END) + (1 - particular(START)) * np.exp(START - END)

    def error(n):
        family = late(n, base=base)
        solver = family.build(from_path(family, smooth_time, lambda r: jnp.exp(r / 2)))
        return abs(float(bj.sample(u, solver, jnp.ones((1, 1)))[0, 0]) - exact)

    ns = np.array([8, 16, 32])
    errors = [error(int(n)) for n in ns]
    slope = -np.polyfit(np.log(ns), np.log(errors), 1)[0]
    assert slope > bj.solvers.TABLE[base].order - 0.3, errors


@pytest.mark.parametrize("base", ["euler", "midpoint", "heun"])
@pytest.mark.parametrize(("old", "new"), [(COND_OT, VP), (VP, EDM), (EDM, COND_OT)])
def test_theorem_2_3_solvers_are_the_base_solver_on_the_new_path(old, new, base):
    """From the new path's time of equal SNR, on its own ideal field."""
    family = late(4, base=base)
    begin, stop = (
        float(new.time_at_log_snr(old.log_snr(t)))
        for t in (family_start(old, new), END)
    )
    got = bj.sample(
        field(old, MIXTURE), family.build(from_schedules(family, old, new)), X0
    )
    native = field(new, MIXTURE)
    grid = np.linspace(begin, stop, 5)
    solver = bj.solvers.TABLE[base].constructor(steps=4, grid=grid, end=stop)
    s_0 = float(new(begin)[1] / old(START)[1])
    s_1 = float(new(stop)[1] / old(END)[1])
    chex.assert_trees_all_close(
        got, bj.sample(native, solver, s_0 * X0) / s_1, atol=1e-8
    )


def family_start(old, new):
    """START; every path of the pairs above has its SNR."""
    assert new.log_snr(0.0) < old.log_snr(START) < old.log_snr(END) < new.log_snr(1.0)
    return START


@pytest.mark.slow
def test_a_path_that_starts_later_still_is_stretched():
    """VP at t = 0 has a higher SNR than CondOT at 1e-4: consistent all the same."""
    start = 1e-4
    assert VP.log_snr(0.0) > COND_OT.log_snr(start)
    exact = gaussian_flow(COND_OT, GAUSSIAN, X0, start, END)

    def error(n):
        family = scale_time(n, start=start, end=END)
        solver = family.build(from_schedules(family, COND_OT, VP))
        assert float(solver.t[0]) == start
        got = bj.sample(field(COND_OT, GAUSSIAN), solver, X0)
        return float(jnp.abs(got - exact).max())

    assert error(64) < error(16) / 8


@pytest.mark.parametrize(("old", "new"), [(COND_OT, COND_OT), (VP, VP), (EDM, EDM)])
def test_the_same_path_is_the_identity(old, new):
    family = late(3)
    got, want = (
        family.values(from_schedules(family, old, new)),
        family.values(family.init()),
    )
    chex.assert_trees_all_close(got, want, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [COND_OT, VP, EDM])
@pytest.mark.parametrize(
    "name", ["euler", "midpoint", "ddim", "dpm_solver_pp_2m", "unipc"]
)
def test_nonstationary_contains_the_solvers_of_the_table(schedule, name):
    family = nonstationary(4, schedule=schedule, start=START, end=END)
    entry = bj.solvers.TABLE[name]
    grid = np.linspace(START, END, 1 + 4 // entry.stages)
    solver = bj.solvers.construct(name, 4, schedule=schedule, end=END, grid=grid)
    assert float(solver.t[0]) == START
    made = jax.device_get(family.build(family.init(solver)))
    same_solver(made, solver, atol=1e-10)
    larger = insert(solver, 0.5, schedule=schedule)
    assert larger.nfe == 5 and float(larger.t[0]) == START
    x = [bj.sample(wave, s, X0) for s in (solver, larger)]
    chex.assert_trees_all_close(*x, atol=1e-9)


def test_nonstationary_begins_as_ddim_from_the_start():
    family = nonstationary(4, schedule=VP, start=START, end=END)
    same_solver(
        jax.device_get(family.build(family.init())),
        ddim(VP, np.linspace(START, END, 5)),
    )
    z = 4 * jax.random.normal(jax.random.key(0), (3,))
    t = family.values({**family.init(), "t": z})["t"]
    assert t[0] == START and t[-1] == END and np.all(np.diff(t) > 0)


def test_timesteps_move_between_start_and_end():
    family = timesteps(lambda t: bj.solvers.ddim(COND_OT, nfe=4, grid=t), GRID)
    theta = {"t": family.init()["t"] + jnp.array([0.3, -0.4, 0.2])}
    t = np.asarray(family.values(theta)["t"])
    assert t[0] == START and t[-1] == END and np.all(np.diff(t) > 0)
    same_solver(family.build(theta), bj.solvers.ddim(COND_OT, nfe=4, grid=t), 1e-12)
    chex.assert_trees_all_close(family.init(t), theta, atol=1e-12)
    slope = jax.jacfwd(lambda theta: family.build(theta).q[:, 0])(theta)["t"]
    want = jax.jacfwd(lambda theta: jnp.diff(family.values(theta)["t"]))(theta)["t"]
    np.testing.assert_allclose(slope, want, atol=1e-7)
    with pytest.raises(ValueError, match="5 times from 0.3"):
        family.init(np.linspace(0, END, 5))


def late_paths(schedule, size, knots=65):
    """Closed-form paths from START."""
    times = jnp.linspace(START, END, knots)
    x0 = jax.random.normal(jax.random.key(0), (size, 2))
    flow = lambda t: gaussian_flow(schedule, GAUSSIAN, x0, START, t)
    states = jax.vmap(flow, out_axes=1)(times)
    u: Any = field(schedule, GAUSSIAN)
    slopes = jax.vmap(u, (0, 1), 1)(times, states)
    return Paths(x0, states[:, -1], None, times, states, slopes, END, start=START)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [bj.losses.rmse_bound, bj.losses.rmse])
def test_a_fit_from_a_later_start_halves_the_error(loss):
    fitted = bj.fit(
        late(2), field(VP, GAUSSIAN), late_paths(VP, 60), key=jax.random.key(0),
        loss=loss, optimizer=optax.adam(1e-2), iterations=100, batch_size=16,
        progress=False,
    )  # fmt: skip
    assert float(fitted.solver.t[0]) == START
    assert fitted.rmse < 0.5 * fitted.start_rmse


@pytest.mark.parametrize("make", [scale_time, nonstationary])
def test_another_start_is_refused_in_words(make):
    options = {"base": "euler"} if make is scale_time else {}
    family = make(4, start=START, end=END, **options)
    with pytest.raises(ValueError, match="starts at 0.3, the s.* at 0; give .* start"):
        family.init(bj.solvers.euler(steps=4, end=END))
    for start in (-0.1, 0.98, 1.0, float("nan")):
        with pytest.raises(ValueError, match="start must be a number in .0, 0.98"):
            make(4, start=start, end=END)
    with pytest.raises(ValueError, match="end must be a number in"):
        make(4, start=0.3, end=float("nan"))
    with pytest.raises(ValueError, match=r"lie in \(0.3, 0.98\); got 0.2"):
        insert(
            nonstationary(4, start=START, end=END).build(
                nonstationary(4, start=START, end=END).init()
            ),
            0.2,
        )

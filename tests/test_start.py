"""Solvers that start later than noise: order, composition, grids by name."""

from functools import partial

import jax
import numpy as np
import pytest
from host import run
from jaxtyping import TypeCheckError
from oracles import GAUSSIAN, field, gaussian_flow

import bespoke_jax as bj
from bespoke_jax import grids
from bespoke_jax.solvers import TABLE, construct

VP, COND_OT = bj.schedules.VP(), bj.schedules.CondOT()
START, END = 0.35, 0.97
X0 = np.array(jax.random.normal(jax.random.key(0), (16, 2)))


def state(schedule, t):
    """The exact state at time t of the flow of one Gaussian."""
    sigma = float(schedule(0.0)[1])
    return np.asarray(gaussian_flow(schedule, GAUSSIAN, sigma * X0, 0.0, t))


# First (or last) steps of lower order leave an error of order 2, which the flatness of
# the path next to the noise hides from the default start.
STARTING = ("unipc", "deis_tab", "deis_rho_ab", "ipndm_v", "dpm_solver_fast")


@pytest.mark.parametrize("name", TABLE)
def test_orders_hold_from_a_later_start(name):
    u, x, want = field(VP, GAUSSIAN), state(VP, START), state(VP, END)
    errors = []
    for nfe in (48, 96):
        solver = construct(name, nfe, schedule=VP, start=START, end=END)
        assert solver.t[0] == START and solver.end == END and solver.nfe == nfe
        assert np.all(solver.t >= START)
        errors.append(np.sqrt(np.mean((run(u, solver, x) - want) ** 2)))
    order = 2.0 if name in STARTING else TABLE[name].measured
    assert np.log2(errors[0] / errors[1]) > order - 0.3


@pytest.mark.parametrize("grid", grids.NAMES)
@pytest.mark.parametrize("name", ["euler", "ddim", "dpm_solver_2", "unipc", "deis_tab"])
def test_grids_by_name_run_from_start_to_end(name, grid):
    schedule = COND_OT  # its noise grids are infinite at 0, but not at the start
    solver = construct(name, 6, schedule=schedule, grid=grid, start=START, end=END)
    times = grids.resolve(grid, solver.nfe, schedule, END, start=START)
    assert times[0] == START and times[-1] == END
    if TABLE[name].stages == 1:
        np.testing.assert_array_equal(solver.t, times[:-1])
    function = getattr(grids, grid)
    options = () if grid in ("uniform", "quadratic", "sigmoid", "shift") else (COND_OT,)
    direct = function(solver.nfe, *options, END, start=START)
    np.testing.assert_array_equal(times, direct)


@pytest.mark.parametrize("schedule", [VP, COND_OT], ids=["VP", "CondOT"])
def test_halves_of_an_euler_solve_are_the_whole(schedule):
    u = field(schedule, GAUSSIAN)
    for name in ("euler", "ddim", "midpoint", "edm_dpm_2"):
        build = partial(construct, name, schedule=schedule, grid="uniform", end=END)
        middle = END / 2
        first = build(20 * TABLE[name].stages)
        one = construct(
            name, 10 * TABLE[name].stages, schedule=schedule, grid="uniform", end=middle
        )
        two = build(10 * TABLE[name].stages, start=middle)
        whole = run(u, first, X0)
        halves = run(u, two, run(u, one, X0))
        np.testing.assert_allclose(halves, whole, rtol=1e-12)


def test_sampling_goes_on_from_the_exact_state():
    u = field(VP, GAUSSIAN)
    solver = bj.solvers.unipc(VP, nfe=40, start=0.5, end=END)
    got = bj.sample(u, solver, state(VP, 0.5))
    np.testing.assert_allclose(got, state(VP, END), atol=3e-4)
    states = bj.trajectory(u, solver, state(VP, 0.5))
    np.testing.assert_allclose(states[20], state(VP, float(solver.t[20])), atol=3e-4)


@pytest.mark.parametrize("name", ["dpm_solver_pp_2m", "unipc", "deis_tab", "scirei_2"])
def test_times_that_rounding_cannot_tell_apart_are_refused(name):
    nfe = 2 * TABLE[name].stages
    with pytest.raises(ValueError, match="0.0 and 1e-18 have the same log-SNR"):
        construct(name, nfe, schedule=VP, grid=[0.0, 1e-18, 0.5])


def test_scalars_of_numpy_and_jax_and_an_ulp_beyond_the_ends():
    want = bj.solvers.ddim(VP, nfe=3, start=0.25, end=1.0)
    for start, end in [
        (np.float32(0.25), np.float64(1)),
        (np.array(0.25), 1),
        (np.float64(0.25), 1 + 2.0**-23),
    ]:
        got = bj.solvers.ddim(VP, nfe=np.int64(3), start=start, end=end)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
    assert bj.solvers.euler(steps=2, start=-1e-8).t[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": 0.9}, "0 <= start < end <= 1.*start=0.9, end=0.9"),
        ({"start": -0.1}, "start=-0.1"),
        ({"start": np.nan}, "start must be a finite number; got nan"),
        ({"start": "noise"}, "start must be a finite number; got .noise."),
        ({"start": [0.1, 0.2]}, "start must be a finite number"),
        ({"end": 1.1}, "end=1.1"),
        ({"end": True}, "end must be a finite number; got True"),
        ({"nfe": 2.5}, r"must be a whole number in 1 \.\. 100000; got 2.5"),
        ({"nfe": True}, r"must be a whole number in 1 \.\. 100000; got True"),
        ({"nfe": -3}, "at least 1; got -3"),
        ({"grid": lambda n, s, e: grids.uniform(n, e), "start": 0.1}, "accept.*start="),
        ({"grid": lambda: [0, 1]}, "must accept"),
    ],
)
def test_bad_bounds_are_refused_in_words(options, words):
    arguments: dict = {"nfe": 4, "end": 0.9, "grid": "uniform", **options}
    for constructor in (bj.solvers.ddim, bj.solvers.unipc, bj.solvers.dpm_solver_2):
        with pytest.raises((ValueError, TypeCheckError)) as error:
            constructor(VP, **arguments)
        if error.type is ValueError:  # else the annotations of a full run came first
            error.match(words)

"""Training-free solvers: which equal which, windows, budgets, endpoints, float32."""

import math

import jax
import numpy as np
import pytest
from host import run
from oracles import GAUSSIAN, Mixture, field, gaussian_flow, posterior_means

import bespoke_jax as bj
from bespoke_jax import solvers
from bespoke_jax.solvers import TABLE, construct, recursive_difference

VP, COND_OT, EDM = bj.schedules.VP(), bj.schedules.CondOT(), bj.schedules.EDM()
SCHEDULES = [VP, COND_OT, bj.schedules.Cosine(), bj.schedules.CosineVP(), EDM]
DISCRETE = bj.schedules.DiscreteVP(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))
END = 1 - 1e-3
X0 = np.array(jax.random.normal(jax.random.key(0), (16, 2)))


def same(one, two, tolerance=1e-11):
    np.testing.assert_allclose(one.t, two.t, atol=1e-14)
    assert one.end == two.end
    for a, b in zip(bj.canonical(one), bj.canonical(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# Reductions


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_first_order_methods_are_ddim(schedule):
    times = [0.0, 0.3, 0.35, 0.8, 0.99]
    want = solvers.ddim(schedule, nfe=4, grid=times)
    for solver in (
        solvers.dpm_solver_1(schedule, nfe=4, grid=times),
        solvers.edm_euler(schedule, nfe=4, grid=times),
        solvers.deis_tab(schedule, nfe=4, grid=times, order=0),
        solvers.deis_rho_ab(schedule, nfe=4, grid=times, order=0),
        solvers.ipndm(schedule, nfe=4, grid=times, order=1),
        solvers.unipc(schedule, nfe=4, grid=times, order=1, corrector=False),
        solvers.unipc(
            schedule,
            nfe=4,
            grid=times,
            order=1,
            corrector=False,
            variant="bh1",
            prediction="noise",
        ),
    ):
        same(solver, want)


@pytest.mark.parametrize("schedule", [VP, EDM], ids=["VP", "EDM"])
def test_single_first_order_steps_of_higher_order_methods_are_ddim(schedule):
    times = [0.3, 0.7]
    want = solvers.ddim(schedule, nfe=1, grid=times)
    for solver in (
        solvers.dpm_solver_pp_2s(schedule, nfe=1, grid=times, mode="agile"),
        solvers.dpm_solver_pp_2m(schedule, nfe=1, grid=times),
        solvers.dpm_solver_fast(schedule, nfe=1, grid=times),
        solvers.scire_v1_2(schedule, nfe=1, grid=times, mode="agile"),
        solvers.scire_v2_3(schedule, nfe=1, grid=times, mode="agile"),
        solvers.scire_v1_3m(schedule, nfe=1, grid=times),
    ):
        same(solver, want)


def test_ddim_is_euler_on_cond_ot():
    times = [0.0, 0.3, 0.35, 0.8, 1.0]
    euler = solvers.euler(steps=4, grid=times)
    same(solvers.ddim(COND_OT, nfe=4, grid=times), euler)
    # On any other schedule at equal sigma / alpha: its points are alpha + sigma times
    # those of CondOT.
    grid = VP.time_at_nsr(COND_OT.nsr(np.array([0.3, 0.5, 0.8])))
    u = field(COND_OT, GAUSSIAN)
    v = field(VP, GAUSSIAN)
    scale = np.sum(VP(grid), axis=0)
    here = run(u, solvers.ddim(COND_OT, nfe=2, grid=[0.3, 0.5, 0.8]), X0)
    there = run(v, solvers.ddim(VP, nfe=2, grid=grid), scale[0] * X0)
    np.testing.assert_allclose(there, scale[-1] * here, rtol=1e-11)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_higher_order_identities(schedule):
    times = schedule.time_at_log_snr(np.linspace(-3.0, 4.0, 6))
    options = {"nfe": 10, "grid": times}
    dpm_2 = solvers.dpm_solver_2(schedule, **options)
    same(solvers.edm_dpm_2(schedule, **options), dpm_2)
    same(solvers.scire_v1_2(schedule, phi=1, r1="geometric", **options), dpm_2)
    # The same node with its own difference quotient is another method.
    every = schedule.time_at_log_snr(np.linspace(-3.0, 4.0, 11))
    other = solvers.scire_v1_2(schedule, nfe=10, grid=every, phi="fd", r1="inner")
    assert np.abs(bj.canonical(other)[1] - bj.canonical(dpm_2)[1]).max() > 1e-3
    # All nodes explicitly, and the grid's own nodes, are the paper's on log-SNR.
    same(solvers.dpm_solver_2(schedule, nfe=10, grid=every, r1="inner"), dpm_2)
    multi = {"nfe": 5, "grid": times}
    for order in (0, 1, 2, 3):
        same(
            solvers.ipndm_v(schedule, order=order + 1, **multi),
            solvers.deis_rho_ab(schedule, order=order, **multi),
        )
    same(
        solvers.unipc(schedule, order=2, corrector=False, **multi),
        solvers.dpm_solver_pp_2m(schedule, **multi),
    )
    # DPM-Solver-fast is the agile mode of the singlestep methods.
    for order in (2, 3):
        same(
            solvers.dpm_solver_fast(schedule, nfe=11, order=order),
            getattr(solvers, f"dpm_solver_{order}")(schedule, nfe=11, mode="agile"),
        )


def test_deis_in_time_is_adams_bashforth_where_time_is_the_noise_level():
    # alpha = 1 and sigma linear in time: tau is a linear function of time.
    schedule = bj.schedules.EDM(0.1, 3.0, rho=1.0)
    options = {"nfe": 6, "order": 3, "grid": "quadratic", "end": 1.0}
    same(
        solvers.deis_tab(schedule, **options),
        solvers.deis_rho_ab(schedule, **options),
    )


@pytest.mark.parametrize("schedule", [VP, DISCRETE], ids=["VP", "DiscreteVP"])
@pytest.mark.parametrize("end", [END, 1.0])
def test_deis_integrals_are_exact_to_rounding(schedule, end):
    times = np.array([0.0, 0.4, 0.9, end])
    # int l_j dtau by parts, free of the singular rate: - int (tau - tau_t) l_j' dt.
    joints = np.union1d(times, np.arange(1, 1000) / 1000)
    joints = joints[(joints >= times[2]) & (joints <= end)]
    x, w = np.polynomial.legendre.leggauss(12)
    want = np.zeros(2)
    for a, b in zip(joints[:-1], joints[1:], strict=True):
        # t = b - (b - a) z^2 flattens the square root that tau has at t = 1.
        z, half = (x + 1) / 2, w / 2
        t = b - (b - a) * z**2
        tau = schedule.nsr(t) - schedule.nsr(end)
        for j, (one, two) in enumerate([(0, 1), (1, 0)]):
            node, others = times[one], (times[two], times[2])
            slope = 2 * t - sum(others)
            slope = slope / np.prod([node - other for other in others])
            want[j] -= np.sum(half * 2 * z * (b - a) * tau * slope)
    solver = solvers.deis_tab(schedule, nfe=3, order=2, grid=times)
    # The weight of u_j is alpha_t C_j d eps / du = - alpha_t C_j alpha_j / W_j.
    (alpha, sigma), (d_alpha, d_sigma) = schedule(times[:2]), schedule.rates(times[:2])
    weight = -alpha / (sigma * d_alpha - alpha * d_sigma)
    got = solver.q[2, [2, 1]] / weight / schedule(end)[0]
    # by parts: [(tau - tau_t) l_j] vanishes at both ends, l_j being 0 at the newest.
    np.testing.assert_allclose(got, want, rtol=1e-11)


def test_constant_data_prediction_is_solved_exactly():
    # u of a point mass at mu: every solver must end on the path itself.
    mu = np.array([[0.7, -1.2]])
    point = Mixture(np.ones(1), mu, np.array([1e-9]))
    alpha, sigma = VP(END)
    start = VP(0.0)
    want = alpha * mu + sigma * (X0 - start[0] * mu) / start[1]
    for name, entry in TABLE.items():
        if entry.needs:
            got = run(field(VP, point), construct(name, 8, schedule=VP, end=END), X0)
            np.testing.assert_allclose(got, want, atol=1e-7, err_msg=name)


# Budgets, windows, endpoints


def test_budgets():
    for nfe in (1, 2, 3, 4, 5, 6, 10, 11, 12):
        for constructor in (solvers.dpm_solver_fast, solvers.edm_heun):
            assert constructor(VP, nfe=nfe).nfe == nfe
        for order in (2, 3):
            one = getattr(solvers, f"scire_v1_{order}")
            assert one(VP, nfe=nfe, mode="agile").nfe == nfe
            if nfe >= order:
                assert one(VP, nfe=nfe).nfe == nfe - nfe % order
            assert getattr(solvers, f"scire_v1_{order}m")(VP, nfe=nfe).nfe == nfe
    assert solvers.dpm_solver_pp_2m(VP, nfe=5, denoise=True).nfe == 6
    assert solvers.scire_v2_2(VP, nfe=6, denoise=True).nfe == 7


def test_denoising_ends_on_the_data_prediction():
    solver = solvers.dpm_solver_pp_2m(VP, nfe=5, end=0.9)
    x = run(field(VP, GAUSSIAN), solver, X0)
    x1, _ = posterior_means(GAUSSIAN, x, *(np.full(16, v) for v in VP(0.9)))
    denoised = solvers.dpm_solver_pp_2m(VP, nfe=5, end=0.9, denoise=True)
    got = run(field(VP, GAUSSIAN), denoised, X0)
    np.testing.assert_allclose(got, x1, rtol=1e-10)
    assert denoised.end == 1.0


WINDOWS = {
    "ddim": 1, "dpm_solver_2": 2, "dpm_solver_3": 3, "dpm_solver_2m": 2,
    "dpm_solver_3m": 3, "dpm_solver_pp_2s": 2, "dpm_solver_pp_2m": 2,
    "dpm_solver_pp_3m": 3, "deis_tab": 4, "ipndm": 4, "edm_heun": 2, "scire_v1_2": 2,
    "scire_v1_3": 3, "scire_v1_2m": 2, "scire_v2_3m": 3, "scirei_2": 2,
    # The corrector of the last step and the predictor of this one reach back by one.
    "unipc": 4,
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_memory_is_the_methods_own(name):
    solver = construct(name, 24, schedule=VP)
    assert solver.p.shape[1] <= WINDOWS[name]
    assert solver.q.shape[1] == WINDOWS[name]
    assert not np.any(solver.a), "no hidden reference to the first state"


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("name", [n for n, e in TABLE.items() if e.needs])
def test_default_grids_of_every_schedule(name, schedule):
    # CondOT, Cosine and CosineVP have alpha(0) = 0: sigma / alpha is infinite there.
    solver = construct(name, 60, schedule=schedule, end=END)
    assert solver.t[0] == 0 and np.isfinite(solver.p).all()
    sigma = float(schedule(0.0)[1])
    want = gaussian_flow(schedule, GAUSSIAN, sigma * X0, 0.0, END)
    got = run(field(schedule, GAUSSIAN), solver, sigma * X0)
    error = np.sqrt(np.mean((got - want) ** 2))
    assert error < (0.2 if TABLE[name].measured < 1.5 else 0.05)


@pytest.mark.parametrize("grid", [None, "uniform"])
@pytest.mark.parametrize("name", [n for n, e in TABLE.items() if e.needs])
def test_pure_noise_to_pure_data(name, grid):
    # edm_heun's second stage would be at sigma = 0, unless nfe is odd.
    nfe = 121 if name == "edm_heun" else 120
    solver = construct(name, nfe, schedule=COND_OT, grid=grid, end=1.0)
    want = gaussian_flow(COND_OT, GAUSSIAN, X0, 0.0, 1.0)
    got = run(field(COND_OT, GAUSSIAN), solver, X0)
    error = np.sqrt(np.mean((got - want) ** 2))
    assert solver.end == 1 and solver.nfe == nfe
    assert error < (0.1 if TABLE[name].measured < 1.5 else 0.03)


def test_sample_agrees_with_the_rows():
    u = field(VP, GAUSSIAN)
    for name in ("unipc", "scire_v1_3"):
        solver = construct(name, 6, schedule=VP)
        want = run(u, solver, X0)
        np.testing.assert_allclose(bj.sample(u, solver, X0), want, rtol=1e-11)


def test_inner_nodes_are_those_of_the_named_grid():
    # On a log-SNR grid the grid's own inner nodes are the paper's 1/2.
    one = solvers.dpm_solver_2(VP, nfe=8, grid="log_snr", r1="inner")
    same(one, solvers.dpm_solver_2(VP, nfe=8, grid="log_snr"), 1e-9)
    # On others they are not.
    nsr = solvers.scire_v1_2(VP, nfe=8, r1="inner").t - solvers.scire_v1_2(VP, nfe=8).t
    assert np.abs(nsr).max() > 1e-3


# SciRE


def test_recursive_difference_coefficients():
    phi_1 = [recursive_difference(m)[0] for m in (1, 2, 3, 4, 5)]
    np.testing.assert_allclose(phi_1, [1, 1 / 2, 2 / 3, 5 / 8, 19 / 30], rtol=1e-15)
    assert abs(recursive_difference(math.inf)[0] - (1 - 1 / math.e)) < 1e-15
    for m in (1, 2, 3, 7, math.inf):
        phi_1, phi_2, phi_3 = recursive_difference(m)
        assert abs(phi_1 + phi_2 - 1) < 1e-15
        assert m < 3 or abs(phi_2 + phi_3 - 1 / 2) < 1e-15


@pytest.mark.parametrize("m", [3, 5, math.inf])
def test_the_full_recursive_difference_is_of_second_order(m):
    phi_1, phi_2, phi_3 = recursive_difference(m)
    s = 0.4

    def error(h):
        t = s + h
        difference = (np.sin(t) - np.sin(s)) / h
        slope = difference - phi_2 * np.cos(t) + phi_3 * h * np.sin(t)
        return abs(slope / phi_1 - np.cos(s))

    assert 3.6 < error(1e-2) / error(5e-3) < 4.4
    # Without the terms at t, as the method has it, an error of 1 / phi_1 - 1 remains.
    kept = (np.sin(s + 1e-6) - np.sin(s)) / 1e-6 / phi_1
    assert abs(kept / np.cos(s) - 1 / phi_1) < 1e-5


SCIRE = {
    ("scire_v1_2", 2 / 3): {5: 0.545810394978, 10: 0.547210567742},
    ("scire_v1_2", "rd_inf"): {5: 0.559996218834},
    ("scire_v1_2", "fd"): {5: 0.462767253194, 10: 0.494165924615},
    ("scire_v1_2", "official"): {5: 0.560599259680, 10: 0.556350123617},
    ("scire_v1_3", "rd"): {5: 0.509530907094, 10: 0.528811159995},
    ("scire_v1_3", "fd"): {5: 0.464863147377},
    ("scire_v1_3", "taylor"): {5: 0.481698752597},
    ("scire_v2_2", "rd"): {5: 0.519074189596, 10: 0.541913826857},
    ("scire_v2_3", "rd"): {5: 0.657439253635, 10: 0.586510293863},
    ("scire_v1_2m", "iclr"): {5: 0.339359927238},
    ("scire_v1_2m", "rd"): {5: 0.395510959222, 10: 0.507897999058},
    ("scire_v1_3m", "rd"): {5: 0.397715892501},
    ("dpm_solver_2", None): {5: 0.642190149403},
    ("dpm_solver_3", None): {5: 0.505693216968},
    ("ddim", None): {5: 0.314055947850, 10: 0.399362631726},
    ("dpm_solver_pp_2m", None): {5: 0.378240056072},
}
"""End points from data N(0, 0.25), x_T = sigma_T, VP, NSR grid of k = 3.1 to 1e-3."""


@pytest.mark.parametrize(("name", "phi"), SCIRE)
def test_scire_end_points(name, phi):
    u = field(VP, Mixture(np.ones(1), np.zeros((1, 1)), np.array([0.5])))
    options = {} if phi is None else {"phi": phi}
    if phi == "taylor":
        options = {"phi": "fd", "stage": "taylor"}
    if phi == "iclr":
        options = {"phi": "rd", "variant": "iclr"}
    for steps, want in SCIRE[name, phi].items():
        nfe = steps * TABLE[name].stages
        constructor = TABLE[name].constructor
        solver = constructor(VP, nfe=nfe, grid="nsr", end=END, **options)
        got = run(u, solver, np.array([[VP(0.0)[1]]]))
        assert abs(got.item() - want) < 2e-11


# float32


@pytest.mark.parametrize("kind", ["noise", "data", "velocity"])
@pytest.mark.parametrize("schedule", [VP, COND_OT, EDM], ids=["VP", "CondOT", "EDM"])
def test_float32_is_float64(schedule, kind):
    def network(t, x):
        t = np.broadcast_to(np.asarray(t), x.shape[:1]) if np.ndim(t) == 0 else t
        x1, x0 = posterior_means(GAUSSIAN, x, *schedule(t))
        return x0 if kind == "noise" else x1

    if kind == "velocity":
        u = field(schedule, GAUSSIAN)
    else:
        u = bj.fields.from_prediction(network, schedule, kind=kind)
    sigma = float(schedule(0.0)[1])
    for name, entry in TABLE.items():
        if entry.needs:
            solver = construct(name, 10, schedule=schedule, end=END)
            want = run(u, solver, sigma * X0)
            got = run(u, solver, np.float32(sigma * X0))
            assert got.dtype == np.float32
            error = np.sqrt(np.mean((got - want) ** 2) / np.mean(want**2))
            assert error < 1e-4, (name, error)


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solvers.dpm_solver_2(VP, nfe=1), "costs 2 evaluations"),
        (
            lambda: solvers.scire_v1_2(VP, nfe=4, mode="agil"),
            "one of fixed, agile; got 'agil'",
        ),
        (lambda: solvers.scire_v1_2(VP, nfe=4, phi="RD"), "'rd', 'rd_inf', 'fd'"),
        (lambda: solvers.scire_v1_2(VP, nfe=4, phi=0), "above 0"),
        (
            lambda: solvers.scire_v1_3(VP, nfe=4, stage="x"),
            "one of paper, taylor; got 'x'",
        ),
        (lambda: solvers.scire_v1_3(VP, nfe=4, r1=0.5, r2=0.5), "different numbers"),
        (lambda: solvers.scire_v1_2(VP, nfe=4, mode="multistep"), "fixed, agile"),
        (lambda: solvers.scire_v1_3(VP, nfe=6, r1="geometric"), 'be "inner"'),
        (lambda: solvers.dpm_solver_2(VP, nfe=4, r1=1.5), r"in \(0, 1\)"),
        (lambda: solvers.dpm_solver_pp_2m(VP, nfe=4, variant="x"), "variant must be"),
        (lambda: solvers.ipndm(VP, nfe=4, order=5), "order must be one of"),
        (
            lambda: solvers.unipc(VP, nfe=4, prediction="x"),
            "one of data, noise; got 'x'",
        ),
        (lambda: bj.grids.log_snr(4, VP, 1.0), "end earlier"),
        (lambda: solvers.ddim(VP, nfe=4, end=1.0, denoise=True), "end earlier"),
        (lambda: solvers.edm_heun(VP, nfe=4, end=1.0), "cannot be told apart"),
        (lambda: solvers.dpm_solver_2(VP, nfe=4, grid=[0, 0.5]), "grid of 3 times"),
        (
            lambda: recursive_difference(0),
            "m must be a whole number of at least 1; got 0",
        ),
        (lambda: construct("unipc", 4), "needs the model's schedule"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Discrete schedules are solved in a smooth time; no step crosses a known jump."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from reference_cases import DISCRETE, END, MIXTURE, VP, exact_ends, noise_model, noises

import bespoke_jax as bj
from bespoke_jax.reference.frame import Frame, frame_of
from bespoke_jax.reference.paths import Control
from bespoke_jax.reference.problem import Problem, integrate

X0 = noises(64)


def _solved(schedule, mixture, tol):
    """(mean RMS error, mean NFE) of a solve of end points."""
    paths = bj.reference.solve(
        noise_model(schedule, mixture), X0, end=END, rtol=tol, atol=tol, dense=False,
        progress=False,
    )  # fmt: skip
    off = np.asarray(paths.x1, np.float64) - exact_ends(schedule, mixture, X0)
    return float(np.sqrt(np.mean(off**2, 1)).mean()), paths.stats.nfe_mean


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the ground truth is")
@pytest.mark.parametrize("tol", [1e-5, 1e-6])
@pytest.mark.parametrize("mixture", [oracles.GAUSSIAN, MIXTURE], ids=["one", "three"])
def test_a_discrete_schedule_is_solved_as_well_as_a_smooth_one(mixture, tol):
    error, nfe = _solved(DISCRETE, mixture, tol)
    smooth_error, smooth_nfe = _solved(VP, mixture, tol)
    assert error <= 2 * smooth_error
    assert nfe <= 1.3 * smooth_nfe


@pytest.mark.slow
def test_the_reported_case():
    """599 evaluations and an error of 4e-3 before."""
    m = 1.5

    def eps(t, x):
        a, s = (v[:, None] for v in DISCRETE(t))
        return s * (x - a * m) / (0.25 * a**2 + s**2)

    (a0, s0), (a1, s1) = DISCRETE(0.0), DISCRETE(END)
    spread = np.sqrt((0.25 * a1**2 + s1**2) / (0.25 * a0**2 + s0**2))
    exact = a1 * m + spread * (np.asarray(X0, float) - a0 * m)
    field = bj.fields.from_prediction(eps, DISCRETE, "noise")
    paths = bj.reference.solve(field, X0, end=END, dense=False, progress=False)
    assert np.abs(np.asarray(paths.x1) - exact).max() < 1e-4
    assert paths.stats.nfe_mean < 70


@pytest.mark.slow
def test_dense_states_come_back_in_the_fields_own_time():
    field = noise_model(DISCRETE, oracles.GAUSSIAN)
    # At 1e-5 the step-size control lets a sample in a thousand of this field, whose
    # error estimate happens to vanish in a long step, end 3e-4 off.
    paths = bj.reference.solve(field, X0, end=END, rtol=1e-6, atol=1e-6, progress=False)
    knots = np.asarray(paths.knots, np.float64)
    exact = np.stack(
        [exact_ends(DISCRETE, oracles.GAUSSIAN, X0, 0.0, t) for t in knots], 1
    )
    assert np.abs(np.asarray(paths.states) - exact).max() < 1e-4
    slopes = jax.vmap(field, (0, 1), 1)(paths.knots, paths.states)
    np.testing.assert_allclose(paths.slopes, slopes, rtol=1e-5, atol=1e-5)
    between = (knots[1:] + knots[:-1]) / 2
    x, _ = bj.paths.at(paths, between)
    exact = np.stack(
        [exact_ends(DISCRETE, oracles.GAUSSIAN, X0, 0.0, t) for t in between]
    )
    assert np.abs(np.asarray(x) - exact).max() < 1e-4


def test_the_frame_and_back():
    frame = Frame(DISCRETE)
    t = np.linspace(0, END, 101)
    np.testing.assert_allclose(frame.field_time(frame.time(t)), t, atol=1e-12)
    np.testing.assert_allclose(frame.scale(t), 1.0, rtol=1e-12)


JUMP = 0.3


def _switched(t, x):
    """x' = a until the jump, b after it, times cos x: solved by separation."""
    rate = jnp.where(t < JUMP, 1.0, -20.0)[:, None]
    return rate * jnp.cos(x).astype(x.dtype)


def _switched_exact(x):
    flow = lambda x, h: np.arcsin(np.tanh(np.arctanh(np.sin(x)) + h))
    return flow(flow(x, JUMP), -20.0 * (0.5 - JUMP))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_no_step_crosses_a_named_jump(dtype):
    x0 = noises(8, dtype, 1) * 0.4
    solve = lambda **options: bj.reference.solve(
        _switched, x0, end=0.5, dense=False, progress=False, **options
    )
    blind, told = solve(), solve(jumps=[JUMP])
    exact = _switched_exact(np.asarray(x0, np.float64))
    assert np.abs(np.asarray(told.x1) - exact).max() < 3e-5
    assert told.stats.nfe_mean < 0.8 * blind.stats.nfe_mean
    control = Control(1e-5, 1e-5)
    problem = Problem(bj.fields.as_field(_switched), 0.0, 0.5, control,
                      frame_of(_switched, 0.0, 0.5, [JUMP, 0.7]))  # fmt: skip
    assert problem.frame.jumps == (JUMP,)  # those outside are no jumps
    accepted = integrate(problem, x0, None, np.array([0.0, 0.5])).accepted
    for row in np.asarray(accepted):
        steps = np.append(0.0, row[np.isfinite(row)]).astype(dtype)
        # A step ends just before the jump: none has it inside.
        assert np.abs(steps - JUMP).min() < 4 * np.finfo(dtype).eps


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_jump_in_a_smooth_time_keeps_its_side(dtype):
    """Guidance in an interval, on a discrete schedule: the jump has an exact place."""

    def network(t, x):
        a, s = DISCRETE(t)
        eps = oracles.posterior_means(oracles.GAUSSIAN, x, a, s)[1]
        return jnp.where((t < JUMP)[:, None], 0.9 * eps, eps).astype(x.dtype)

    field = bj.fields.from_prediction(network, DISCRETE, "noise")
    x0 = noises(8, dtype)
    solve = lambda jumps: bj.reference.solve(
        field, x0, start=0.05, end=END, dense=False, jumps=jumps, progress=False
    )
    blind, told = solve([]), solve([JUMP])
    tight = bj.reference.solve(
        field, x0.astype(jnp.float64), start=0.05, end=END, rtol=1e-10, atol=1e-10,
        dense=False, jumps=[JUMP], progress=False,
    )  # fmt: skip
    assert told.stats.nfe_mean < blind.stats.nfe_mean
    assert np.abs(np.asarray(told.x1 - tight.x1)).max() < 1e-4

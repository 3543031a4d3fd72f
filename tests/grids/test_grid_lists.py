"""Shifted grids, and times from sigmas and timesteps as other programs write them."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from jaxtyping import TypeCheckError

import bespoke_jax as bj
from bespoke_jax import grids
from bespoke_jax.schedules import EDM, VP, CondOT, DiscreteVP, Scaled, Shifted

DDPM = DiscreteVP(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))
ULP = 2.0**-23


@pytest.mark.parametrize("s", [0.5, 1.0, 3.0, 12.0])
def test_shift_is_equation_23(s):
    sigma = np.linspace(1, 0, 9)
    want = s * sigma / (1 + (s - 1) * sigma)
    np.testing.assert_allclose(1 - grids.shift(8, shift=s), want, atol=1e-15)
    # Uniform times of the shifted path.
    uniform = Shifted(CondOT(), s).nsr(np.linspace(0, 1, 9))
    np.testing.assert_allclose(CondOT().nsr(grids.shift(8, shift=s)), uniform)
    # A part of the grid is the grid of the part.
    whole = grids.shift(8, shift=s)
    part = grids.shift(4, float(whole[6]), start=float(whole[2]), shift=s)
    np.testing.assert_allclose(part, whole[2:7], atol=1e-15)


def test_shift_by_name_and_with_parameters_in_every_kind_of_constructor():
    by_name = bj.solvers.euler(steps=4, grid="shift")
    np.testing.assert_array_equal(by_name.t, grids.shift(4)[:-1])
    for s in (1.0, 5.0):
        grid = partial(grids.shift, shift=s)
        want = grids.shift(4, 0.9, start=0.1, shift=s)[:-1]
        for solver in (
            bj.solvers.euler(steps=4, grid=grid, start=0.1, end=0.9),
            bj.solvers.ddim(CondOT(), nfe=4, grid=grid, start=0.1, end=0.9),
            bj.solvers.construct(
                "unipc", 4, schedule=VP(), grid=grid, start=0.1, end=0.9
            ),
        ):
            np.testing.assert_array_equal(solver.t, want)
    inner = bj.solvers.dpm_solver_2(VP(), nfe=8, grid="shift", end=0.99, r1="inner")
    np.testing.assert_allclose(inner.t, grids.shift(8, 0.99)[:-1], atol=1e-14)


def test_shift_by_resolution():
    assert grids.shift_of(256) == pytest.approx(math.exp(0.5))
    assert grids.shift_of(4096) == pytest.approx(math.exp(1.15))
    assert math.log(grids.shift_of(2176)) == pytest.approx((0.5 + 1.15) / 2)
    # SD3's doubling of sides multiplies the shift: sqrt(4096 / 1024) at mu = log s.
    line: Any = {"base": (1024, math.log(3.0)), "max": (4096, math.log(6.0))}
    assert grids.shift_of(4096, **line) == pytest.approx(6)
    bad: Any
    for bad in ({"image_tokens": 0}, {"image_tokens": 9, "base": (4096, 1.0)}):
        with pytest.raises(ValueError, match="image_tokens|different numbers"):
            grids.shift_of(**bad)


# Sigmas.


def test_sigmas_of_flows_are_one_minus_time():
    sigma = np.array([1.0, 0.9, 0.5, 0.05, 0.0])
    np.testing.assert_allclose(grids.from_sigmas(sigma, CondOT()), 1 - sigma)
    shifted = Shifted(CondOT(), 3.0)
    times = grids.from_sigmas(sigma, shifted)
    np.testing.assert_allclose(shifted(times)[1], sigma, atol=1e-15)
    listed = grids.from_sigmas([0.8, 0.2], CondOT())  # without pure noise or data
    np.testing.assert_allclose(listed, [0.2, 0.8])


def test_sigmas_of_other_paths_are_noise_to_signal_ratios():
    ramp = np.linspace(80 ** (1 / 7), 0.002 ** (1 / 7), 10) ** 7
    edm = EDM()
    for listed in (ramp, np.append(ramp, 0.0), np.append(ramp, ramp[-1])):
        times = grids.from_sigmas(listed, edm)
        np.testing.assert_allclose(times, np.linspace(0, 1, 10), atol=1e-12)
    vp = VP()
    want = grids.edm(6, vp, 1.0)
    np.testing.assert_allclose(grids.from_sigmas(vp.nsr(want), vp), want, atol=1e-12)
    # Half of the noise at the same place of a path with half of the noise.
    half = Scaled(vp, 0.5)
    np.testing.assert_allclose(
        grids.from_sigmas(half.nsr(want), half), want, atol=1e-12
    )


def test_lists_computed_in_float32_are_taken():
    bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000, dtype=np.float32))
    steps = np.arange(999, -1, -111)
    sigma = np.sqrt((1 - bar[steps]) / bar[steps]) * np.float32(1 + 1e-6)
    times = grids.from_sigmas(np.append(sigma, np.float32(0)), DDPM)
    np.testing.assert_allclose(times, np.append(DDPM.time(steps), 1), atol=2e-6)
    over = np.array([1 + ULP, 0.5, -1e-8], np.float64)
    np.testing.assert_array_equal(grids.explicit(over[::-1]), [0, 0.5, 1])
    np.testing.assert_array_equal(
        grids.from_sigmas([1 + ULP, 0.5, 0.0], CondOT()), [0, 0.5, 1]
    )


# Timesteps.


def test_integer_timesteps_are_levels():
    steps = [981, 961, 501, 1]
    times = grids.from_timesteps(steps, levels=1000)
    np.testing.assert_array_equal(times, [*DDPM.time(np.array(steps)), 1.0])
    for N in (250, 4000):
        got = grids.from_timesteps([N - 1, 0], levels=N, end=None)
        np.testing.assert_array_equal(got, [0, 1 - 1 / N])
    assert grids.from_timesteps([7], levels=10, end=0.9)[-1] == 0.9


def test_continuous_timesteps_are_scaled_time():
    shifted = grids.shift(4, shift=3.0)
    listed = (1000 * (1 - shifted[:-1])).astype(np.float32)  # a scheduler's timesteps
    times = grids.from_timesteps(listed, scale=1000)
    np.testing.assert_allclose(times, shifted, atol=1e-7)
    again = grids.from_timesteps([*listed, 0.0], scale=1000)
    np.testing.assert_array_equal(again, times)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: grids.from_sigmas([0.1, 0.5], CondOT()), r"sigmas\[0\] = 0.1 then"),
        (
            lambda: grids.from_sigmas([1.2, 0.5], CondOT()),
            r"\[0, 1\].*sigmas\[0\] = 1.2",
        ),
        (
            lambda: grids.from_sigmas([100.0, 1.0], EDM()),
            r"\[0, 80\], the noise of EDM",
        ),
        (lambda: grids.from_sigmas([10.0, 1e-3], EDM()), "not fall below 0.002"),
        (lambda: grids.from_sigmas([0.5, -0.1], CondOT()), "below 0"),
        (lambda: grids.from_sigmas([np.inf, 0.5], CondOT()), r"sigmas\[0\] = inf"),
        (lambda: grids.from_sigmas([0.5, 0.5], CondOT()), "without the repeated last"),
        (lambda: grids.from_sigmas([0.002, 0.0], EDM()), "without a trailing 0"),
        (lambda: grids.from_sigmas("abc", EDM()), "array of numbers; got 'abc'"),
        (lambda: grids.from_timesteps([1, 2]), "one of levels=... and scale=..."),
        (lambda: grids.from_timesteps([1], levels=9, scale=9), "one of levels"),
        (
            lambda: grids.from_timesteps([0, 10], levels=99),
            r"timesteps\[0\] = 0.0 then",
        ),
        (lambda: grids.from_timesteps([1000, 10], levels=1000), "0 to 999; got"),
        (lambda: grids.from_timesteps([1001, 10], scale=1000), "0 to 1000; got"),
        (
            lambda: grids.from_timesteps([9, 1], levels=9.5),
            "levels must be a whole number",
        ),
        (
            lambda: grids.from_timesteps([9, 1], scale=0),
            "scale must be a finite number above",
        ),
        (lambda: grids.from_timesteps([9, 1], levels=10, end=0.5), "before the last"),
        (lambda: grids.from_timesteps([], levels=10), "one or more numbers"),
        (lambda: grids.shift(4, shift=0.0), "shift must be a finite number above 0"),
        (lambda: grids.explicit([[0, 1]]), "got shape"),
        (lambda: grids.explicit([-1e-6, 1.0]), r"t\[0\] = -1e-06"),
        (lambda: grids.explicit([0.0, 1 + 2e-7]), r"t\[1\] = 1.0000002"),
    ],
)
def test_bad_lists_say_what_was_expected(call, words):
    with pytest.raises((ValueError, TypeCheckError)) as error:
        call()
    if error.type is ValueError:  # else the annotations of a full run came first
        error.match(words)
        assert "\n" not in str(error.value)

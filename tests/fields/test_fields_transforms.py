"""Scale-time (proposition 2.1) and changes of the schedule (theorem 2.3)."""

import json
from dataclasses import dataclass
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from field_cases import MIXTURE, SCHEDULES, T, X, close, on_path
from jax.tree_util import Partial

import bespoke_jax as bj
from bespoke_jax import fields, schedules

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden.json").read_text())


def test_scale_time_with_the_identity():
    field = oracles.field(schedules.Cosine(), MIXTURE)
    unmoved = fields.scale_time(field, lambda r: 1.0, lambda r: r)
    close(unmoved(T, X), field(T, X), atol=1e-15)


def test_scale_time_is_the_derivative_of_the_transformed_path():
    # Proposition 2.1: y(r) = s(r) x(t(r)) has the velocity u_bar(r, y(r)).
    schedule = schedules.Cosine()
    scale = Partial(lambda a, r: jnp.exp(a * jnp.sin(3 * r)), jnp.asarray(0.4))
    time = lambda r: r**2 * (3 - 2 * r)
    flow = lambda r: (
        scale(r) * oracles.gaussian_flow(schedule, oracles.GAUSSIAN, X, 0.0, time(r))
    )
    field = fields.scale_time(oracles.field(schedule, oracles.GAUSSIAN), scale, time)
    h = 1e-5
    for r in (0.2, 0.5, 0.9):
        slope = (flow(r + h) - flow(r - h)) / (2 * h)
        close(field(r, flow(r)), slope, atol=1e-8)


def test_reverse_is_the_flow_from_data_to_noise_backwards():
    schedule = schedules.CondOT()
    field = oracles.field(schedule, oracles.GAUSSIAN)
    # v = dx/dtau of the flow in time tau = 1 - t, from data to noise.
    v = lambda tau, x: -field(1 - tau, x)
    flow = lambda t: oracles.gaussian_flow(schedule, oracles.GAUSSIAN, X, 0.0, t)
    h = 1e-5
    for t in (0.1, 0.5, 0.9):
        slope = (flow(t + h) - flow(t - h)) / (2 * h)
        close(fields.reverse(v)(t, flow(t)), slope, atol=1e-8)
    close(fields.reverse(v)(T, X), field(T, X), atol=1e-14)
    known = fields.as_field(v)
    assert fields.reverse(fields.reverse(known)) is known
    # Solved backwards it takes the data to the noise it came from.
    solver = bj.solvers.rk4(steps=32)
    back = bj.sample(fields.reverse(field), solver, flow(1.0))
    close(back, X, atol=1e-6)


def in_range(old, new, r):
    first, last = old.log_snr(jnp.array([0.0, 1.0]))
    return (new.log_snr(r) >= first) & (new.log_snr(r) <= last)


@pytest.mark.slow
@pytest.mark.parametrize("old", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("new", SCHEDULES.values(), ids=SCHEDULES)
def test_change_schedule_gives_the_native_velocity(old, new):
    r = jnp.array([0.1, 0.4, 0.8, 0.97])
    x = on_path(new, t=r)
    changed = fields.change_schedule(oracles.field(old, MIXTURE), old, new)
    native = oracles.field(new, MIXTURE)(r, x)
    keep = in_range(old, new, r)
    assert keep.sum() >= 3
    scale = 1 + jnp.abs(native[keep]).max()
    close(changed(r, x)[keep], native[keep], atol=1e-9 * float(scale))


@pytest.mark.parametrize("old", ["condot", "cosine", "cosine_vp"])
@pytest.mark.parametrize("new", ["condot", "cosine", "cosine_vp"])
def test_change_schedule_at_the_ends(old, new):
    old, new = SCHEDULES[old], SCHEDULES[new]
    changed = fields.change_schedule(oracles.field(old, MIXTURE), old, new)
    native = oracles.field(new, MIXTURE)
    for r, tol in ((0.0, 1e-12), (1 - 1e-3, 1e-8)):
        close(changed(r, X), native(r, X), atol=tol)
        slope = jax.jvp(lambda r: changed(r, X), (r,), (1.0,))[1]
        chex.assert_tree_all_finite(slope)


def test_change_schedule_beyond_the_old_path():
    # CondOT starts at SNR 0, VP at 0.0066: the data prediction is held there.
    old, new = schedules.VP(0.1, 20.0), schedules.CondOT()
    changed = fields.change_schedule(oracles.field(old, MIXTURE), old, new)
    native = oracles.field(new, MIXTURE)
    first = new.time_at_log_snr(old.log_snr(jnp.asarray(0.0)))
    close(changed(0.0, X), native(0.0, X), atol=0.03)
    edge = changed(first * (1 - 1e-9), X), changed(first * (1 + 1e-9), X)
    close(*edge, atol=1e-7)
    # EDM ends at sigma_min, CondOT goes on: the noise prediction is held.
    old = schedules.EDM(0.002, 80.0)
    changed = fields.change_schedule(oracles.field(old, MIXTURE), old, new)
    last = new.time_at_log_snr(old.log_snr(jnp.asarray(1.0)))
    edge = changed(last - 1e-10, X), changed(last + 1e-10, X)
    close(*edge, atol=1e-5)
    chex.assert_tree_all_finite(changed(1.0, X))


def test_change_schedule_is_scale_time_with_the_maps_of_theorem_2_3():
    old, new = schedules.VP(0.1, 20.0), schedules.Cosine()
    field = oracles.field(old, MIXTURE)
    time = lambda r: old.time_at_log_snr(new.log_snr(r))
    scale = lambda r: new(r)[1] / old(time(r))[1]
    by_jvp = fields.scale_time(field, scale, time)
    close(fields.change_schedule(field, old, new)(T, X), by_jvp(T, X), atol=1e-9)


@dataclass(frozen=True)
class Square:
    """alpha = t^2, sigma = 1 - t^2: the polynomial path of golden entry A274."""

    def __call__(self, t):
        return t**2, 1 - t**2

    def rates(self, t):
        return 2 * t, -2 * t

    def nsr(self, t):
        return (1 - t**2) / t**2

    def log_snr(self, t):
        return -jnp.log(self.nsr(t))

    def time_at_log_snr(self, value):
        return jnp.sqrt(jax.nn.sigmoid(value))

    def time_at_nsr(self, value):
        return jnp.sqrt(1 / (1 + value))


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry",
    [e for e in GOLDEN["entries"] if e["family"] == "schedule_change"],
    ids=lambda e: e["id"],
)
def test_change_schedule_golden(entry):
    # Made by an independent public program (see the README of the golden files).
    known = {
        "CondOT": schedules.CondOT(),
        "Cosine": schedules.Cosine(),
        "VP": schedules.VP(0.1, 20.0),
        "PolynomialConvex(n=2)": Square(),
    }
    old, new = (known[entry["params"][k]] for k in ("original", "new"))
    mixture = oracles.Mixture(*(np.array(GOLDEN["field"][k]) for k in ("w", "mu", "s")))
    changed = fields.change_schedule(oracles.field(old, mixture), old, new)
    t, x, u = (np.array(entry[k]) for k in ("t", "x", "u"))
    got = changed(np.repeat(t, 2), x.reshape(-1, 3))
    close(got, u.reshape(-1, 3), atol=1e-10)

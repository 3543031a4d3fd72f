"""Scale-time families: counts, identity, the paper's formulas, orders, golden runs."""

import math
import operator

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Mixture, field
from scale_time_cases import BASES, CALO, GOLDEN, count, perturbed, wave

import bespoke_jax as bj
from bespoke_jax.families import scale_time


@pytest.mark.parametrize(("steps", "free"), [(4, 31), (5, 39), (8, 63), (10, 79)])
def test_midpoint_has_the_papers_free_numbers(steps, free):
    assert count(scale_time(steps)) == free


@pytest.mark.parametrize("n", [1, 4, 7])
@pytest.mark.parametrize(
    ("base", "per_step", "rest"),
    [
        ("euler", 4, -1), ("midpoint", 8, -1), ("ralston", 8, -1), ("heun", 4, 1),
        ("kutta3", 8, 1), ("rk4", 8, 1), ("heun3", 12, -1),
    ],
)  # fmt: skip
def test_free_numbers_of_every_base(base, per_step, rest, n):
    assert count(scale_time(n, base=base)) == per_step * n + rest


def test_free_numbers_of_the_ablations():
    assert count(scale_time(5, learn="time")) == 4 * 5 - 1
    assert count(scale_time(5, learn="scale")) == 4 * 5


@pytest.mark.parametrize("learn", ["both", "time", "scale"])
@pytest.mark.parametrize("base", BASES)
def test_start_is_the_base_solver(base, learn):
    family = scale_time(3, base=base, learn=learn, end=0.9)
    got = family.build(family.init())
    want = bj.solvers.TABLE[base].constructor(steps=3, end=0.9)
    chex.assert_trees_all_close(bj.canonical(got), bj.canonical(want), atol=1e-14)
    chex.assert_trees_all_close(got.t, jnp.asarray(want.t), atol=1e-14)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.sampled_from(BASES), st.integers(0, 99), st.floats(0.0, 30.0))
def test_constraints_hold_for_any_theta(base, seed, size):
    family = scale_time(3, base=base, end=0.9)
    values = family.values(perturbed(family, seed, size))
    chex.assert_tree_all_finite(values["t"])
    assert np.all(np.diff(values["t"]) >= 0)
    assert values["t"][0] == 0 and values["t"][-1] == 0.9
    assert values["s"][0] == 1
    assert np.all(np.asarray(values["s"]) > 0) and np.all(
        np.asarray(values["t_dot"]) > 0
    )
    assert len(values["r"]) == len(values["t"]) == len(values["s"])


@pytest.mark.parametrize("base", ["euler", "midpoint"])
def test_build_follows_equations_17_19_and_20(base):
    family = scale_time(4, base=base, end=0.95)
    theta = perturbed(family, 0)
    v = {name: np.asarray(value) for name, value in family.values(theta).items()}
    x = x0 = jax.random.normal(jax.random.key(1), (3, 2))
    h = 1 / 4
    t, t_dot, s, s_dot = v["t"], v["t_dot"], v["s"], v["s_dot"]
    for i in range(4):
        if base == "euler":
            x = (s[i] + h * s_dot[i]) / s[i + 1] * x + h * t_dot[i] * s[i] / s[
                i + 1
            ] * wave(t[i], x)
        else:
            a, m, b = 2 * i, 2 * i + 1, 2 * i + 2  # r_i, r_{i+1/2}, r_{i+1}
            z = (s[a] + h / 2 * s_dot[a]) * x + h / 2 * s[a] * t_dot[a] * wave(t[a], x)
            x = s[a] / s[b] * x + h / s[b] * (
                s_dot[m] / s[m] * z + t_dot[m] * s[m] * wave(t[m], z / s[m])
            )
    got = bj.sample(wave, family.build(theta), x0)
    chex.assert_trees_all_close(got, x, atol=1e-13)


@pytest.mark.parametrize("base", BASES)
def test_chained_steps_are_the_whole_solver(base):
    family = scale_time(3, base=base, end=0.95)
    theta = perturbed(family, 1)
    steps, solver = family.steps(theta), family.build(theta)
    x0 = x = jax.random.normal(jax.random.key(1), (3, 2))
    for i in range(3):
        rows = jax.tree.map(operator.itemgetter(i), steps.rows)
        x = bj.sample(wave, rows, x)
    chex.assert_trees_all_close(bj.sample(wave, solver, x0), x, atol=1e-12)
    assert solver.nfe == 3 * bj.solvers.TABLEAUX[base].stages


@pytest.mark.parametrize("base", ["euler", "midpoint", "rk4"])
def test_lipschitz_constants_bound_the_step(base):
    """Equations 48-49 with the field's true constant: |step(x) - step(y)| <= L |x - y|.

    A linear field u = +-2 x makes the step a factor, which is its own constant.
    """
    family = scale_time(4, base=base)

    @jax.jit
    def factors(theta):
        steps = family.steps(theta)
        slope = lambda sign: jax.vmap(
            lambda rows: bj.sample(
                lambda t, x, c=None: sign * 2.0 * x, rows, jnp.ones((1, 1))
            )[0, 0]
        )(steps.rows)
        return slope(1.0), slope(-1.0), steps.lipschitz(2.0)

    for seed in range(20):
        up, down, bound = factors(perturbed(family, seed))
        assert np.all(np.abs(up) <= bound * (1 + 1e-12))
        assert np.all(np.abs(down) <= bound * (1 + 1e-12))


@pytest.mark.parametrize(("base", "terms"), [("euler", 2), ("midpoint", 3), ("rk4", 5)])
def test_lipschitz_constants_of_the_identity(base, terms):
    """At the identity and L_tau = 1 they are the truncated exponential of h."""
    family = scale_time(4, base=base)
    want = sum(0.25**k / math.factorial(k) for k in range(terms))
    np.testing.assert_allclose(family.steps(family.init()).lipschitz(1.0), want)


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_order_survives_a_smooth_scale_time_map(base):
    """Theorem 2.2: t = r^2 (3 - r) / 2, s = exp(r / 2), on dx/dt = -x + sin t."""
    u = lambda t, x, c=None: -x + jnp.sin(jnp.reshape(t, (-1, 1)))
    x0 = jnp.ones((1, 1))
    exact = (np.sin(1) - np.cos(1)) / 2 + 1.5 * np.exp(-1)

    def error(n):
        family = scale_time(n, base=base)
        start = family.init()
        r = np.asarray(family.values(start)["r"])
        evaluated = r[: start["t_dot"].size]
        t, s = r**2 * (3 - r) / 2, np.exp(r / 2)
        gaps = np.log(np.diff(t))
        # t' = 0 at r = 0: the log of a tiny number stands for it.
        t_dot = np.maximum(3 * evaluated - 1.5 * evaluated**2, 1e-300)
        theta = {
            "t": jnp.asarray(gaps[:-1] - gaps[-1]),
            "t_dot": jnp.log(t_dot),
            "s": jnp.log(s[1:]),
            "s_dot": jnp.asarray(np.exp(evaluated / 2) / 2),
        }
        solver = jax.jit(family.build)(theta)
        return abs(float(bj.sample(u, solver, x0)[0, 0]) - exact)

    ns = np.array([24, 48, 96])
    errors = [error(int(n)) for n in ns]
    slope = -np.polyfit(np.log(ns), np.log(errors), 1)[0]
    assert slope > bj.solvers.TABLE[base].order - 0.2, errors


@pytest.mark.parametrize("entry", CALO, ids=lambda e: e["id"])
def test_agrees_with_calo_dreamer(entry):
    """Sample and RMSE-bound loss of the only other implementation, at given values."""
    base = "euler" if entry["params"]["solver"] == "BespokeEuler" else "midpoint"
    n, given_values = entry["params"]["num_steps"], entry["extra"]
    family = scale_time(n, base=base)
    t, t_dot, s, s_dot = (
        np.array(given_values[k]) for k in ("t", "t_dot", "s", "s_dot")
    )
    gaps = np.log(np.diff(t))
    theta = {
        "t": jnp.asarray(gaps[:-1] - gaps[-1]),
        "t_dot": jnp.log(t_dot),
        "s": jnp.log(s[1:]),
        "s_dot": jnp.asarray(s_dot),
    }
    values = family.values(theta)
    np.testing.assert_allclose(values["t"], t, atol=1e-14)
    np.testing.assert_allclose(values["s"], s, rtol=1e-14)
    data = GOLDEN["field"]
    u = field(
        bj.schedules.CondOT(), Mixture(*(np.array(data[k]) for k in ("w", "mu", "s")))
    )
    x0 = jnp.array(GOLDEN["initial_points"][entry["x_init"]])
    got = bj.sample(u, family.build(theta), x0)
    np.testing.assert_allclose(got, np.array(entry["x_final"]), rtol=1e-8, atol=1e-10)


def test_same_arguments_same_family():
    assert scale_time(5, end=0.9) is scale_time(5, end=0.9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"steps": 0}, "steps must be"),
        ({"steps": 2, "base": "midpiont"}, "midpoint"),
        ({"steps": 2, "learn": "times"}, "learn must be"),
        ({"steps": 2, "end": 1.5}, "end must be a number in"),
    ],
)
def test_wrong_arguments_are_explained(arguments, words):
    with pytest.raises(ValueError, match=words):
        scale_time(**arguments)

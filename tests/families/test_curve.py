"""Curves of time and scale: the base, polynomials, one theta for every n, orders."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from jaxtyping import TypeCheckError
from scale_time_cases import BASES

import bespoke_jax as bj
from bespoke_jax.families import curve, from_path, scale_time
from bespoke_jax.families.scale_time.bernstein import basis, elevated

END = 0.9
QUADRATIC = {
    # t = 0.7 r + 0.3 r^2 on [0, 1], s = 1 + 0.5 r - 0.2 r^2 in Bernstein form:
    # c = 0, 0.35, 1 and w = 1, 1.25, 1.3.
    "t": np.log([0.35 / 0.65]),
    "s": np.log([1.25, 1.3]),
}
NUMBER: Any = np.array(4)  # an iterable by its methods only
close = lambda got, want, atol=1e-13: chex.assert_trees_all_close(got, want, atol=atol)


def moved(curve, seed, size=0.7):
    """A random theta."""
    keys = jax.random.split(jax.random.key(seed))
    leaves, structure = jax.tree.flatten(curve.init())
    draw = lambda key, leaf: size * jax.random.normal(key, leaf.shape, leaf.dtype)
    return jax.tree.unflatten(structure, map(draw, keys, leaves))


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_zeros_are_the_base_solver(base):
    shape = curve(4, base=base, start=0.05, end=END)
    theta = shape.init()
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(theta))
    got = shape.at(3).build(theta)
    want = bj.solvers.TABLE[base].constructor(steps=3, start=0.05, end=END)
    close(bj.canonical(got), bj.canonical(want))
    close(got.t, jnp.asarray(want.t))


@pytest.mark.parametrize("degree", [1, 2, 5, 30])
def test_free_numbers(degree):
    shapes = jax.tree.map(np.shape, curve(degree).init())
    assert shapes == {"t": (degree - 1,), "s": (degree,)}


def test_bernstein_polynomials_are_those_of_the_definition():
    """B_{k,3}: (1-r)^3, 3 r (1-r)^2, 3 r^2 (1-r), r^3."""
    r = np.linspace(0, 1, 7)
    q = 1 - r
    want = np.stack([q**3, 3 * r * q**2, 3 * r**2 * q, r**3], axis=1)
    np.testing.assert_allclose(basis(3, r), want, atol=1e-15)
    np.testing.assert_allclose(basis(0, r), np.ones((7, 1)))


def test_elevation_by_hand():
    """1 - 2 r + 4 r^2: c = 1, 0, 3 of degree 2, and 1, 1/3, 1, 3 of degree 3."""
    np.testing.assert_allclose(elevated(np.array([1, 0, 3]), 3), [1, 1 / 3, 1, 3])


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(1, 12), st.integers(0, 99), st.floats(0.0, 6.0))
def test_constraints_hold_for_any_theta(degree, seed, size):
    shape = curve(degree, base="heun", start=0.1, end=END)
    values = shape.at(5).values(moved(shape, seed, size))
    v = {name: np.asarray(value) for name, value in values.items()}
    assert v["t"][0] == 0.1 and v["t"][-1] == END and v["s"][0] == 1
    assert np.diff(v["t"]).min() > 0 and v["t_dot"].min() > 0 and v["s"].min() > 0


def test_rates_are_the_derivatives_of_polynomials_of_the_degree():
    shape = curve(5, end=END)
    v = shape.at(12).values(moved(shape, 0))
    r, inner = np.asarray(v["r"]), np.asarray(v["r"])[:-1]
    for name in ("t", "s"):
        fitted = np.polynomial.Polynomial.fit(r, np.asarray(v[name]), 5)
        np.testing.assert_allclose(fitted(r), v[name], atol=1e-12)
        np.testing.assert_allclose(fitted.deriv()(inner), v[f"{name}_dot"], atol=1e-10)


def test_all_numbers_of_steps_lie_on_one_curve():
    """The nodes of 2 steps are every third one of those of 6."""
    shape = curve(6, end=END)
    theta = moved(shape, 1)
    few, many = shape.at(2).values(theta), shape.at(6).values(theta)
    close(few, jax.tree.map(lambda leaf: leaf[::3], many))


@pytest.mark.parametrize("base", ["euler", "midpoint", "rk4"])
def test_reproduces_a_quadratic_exactly(base):
    """Rows as those of the scale-time family on the same maps (`from_path`)."""
    nodes = scale_time(3, base=base)
    time = lambda r: 0.7 * r + 0.3 * r**2
    scale = lambda r: 1 + 0.5 * r - 0.2 * r**2
    want = nodes.build(from_path(nodes, time, scale))
    close(curve(2, base=base).at(3).build(QUADRATIC), want)


@pytest.mark.parametrize("degree", [2, 3, 9])
def test_elevation_keeps_the_curve(degree):
    higher = curve(degree)
    theta = higher.init(QUADRATIC)
    assert theta["s"].shape == (degree,)
    close(higher.at(4).values(theta), curve(2).at(4).values(QUADRATIC))
    # Degree 1 is t = r with a linear s, whatever the size of its numbers.
    line = {"t": np.zeros(0), "s": np.array([0.5])}
    close(higher.at(4).values(higher.init(line)), curve(1).at(4).values(line))


def test_elevation_of_extreme_numbers_does_not_cancel():
    """Increments e^300 and 1: at degree 3 in the ratios 2 e^300, e^300 + 1, 2."""
    theta = curve(3).init({"t": np.array([300.0]), "s": np.zeros(2)})
    close(theta["t"], jnp.array([300.0, 300 - np.log(2)]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "order"),
    [("euler", 1), ("midpoint", 2), ("heun", 2), ("heun3", 3), ("rk4", 4)],
)
def test_any_theta_keeps_the_order_of_the_base(base, order):
    """Theorem 2.2, with one theta for all n: certified on a mixture."""
    shape = curve(4, base=base, end=1 - 1e-3)
    theta, stages = moved(shape, 2, 0.4), bj.solvers.TABLE[base].stages
    build = jax.jit(lambda n: shape.at(n // stages).build(theta), static_argnums=0)
    nfe = (96, 192) if order > 2 else (192, 384)
    verdict = bj.certify(build, nfe=nfe, claimed=order)
    assert abs(verdict.measured - order) < 0.3, verdict.text


@pytest.mark.slow
def test_gradient_of_the_build():
    shape = curve(3, end=END)

    flat, unravel = ravel_pytree(moved(shape, 3))

    @jax.jit
    def number(flat):
        leaves = jax.tree.leaves(shape.at(2).build(unravel(flat)))
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in leaves)

    chex.assert_numerical_grads(number, (flat,), order=1, atol=1e-4)


def test_equal_curves_share_their_families():
    assert curve(4, end=1) == curve(4) and curve(4).at(5) is curve(4, end=1.0).at(5)
    assert curve(4).over([4, 6]) == curve(4).over((4, 6))
    assert hash(curve(4).over([4, 6])) == hash(curve(4).over((4, 6)))
    joint = curve(4).over((4, 6))
    assert joint.members == (curve(4).at(4), curve(4).at(6))
    assert joint.at(7) is curve(4).at(7)
    names = {joint.name, curve(4).over((4,)).name, curve(5).over((4, 6)).name}
    assert len(names) == 3


@pytest.mark.parametrize("base", ["midpoint", "rk4"])
def test_starts_at_the_base_solver_only(base):
    shape = curve(3, base=base, end=END)
    base_solver = bj.solvers.TABLE[base].constructor(steps=4, end=END)
    close(shape.init(base_solver), shape.init())
    nodes = scale_time(4, base=base, end=END)
    other = nodes.build(from_path(nodes, lambda r: END * (r + r**2) / 2))
    with pytest.raises(ValueError, match="base solver"):
        shape.init(other)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: curve(0), "degree must be a whole number of at least 1; got 0"),
        (lambda: curve(31), r"in 1 \.\. 30; got 31"),
        (lambda: curve(base="rk9"), "base must be one of"),
        (lambda: curve(start=0.5, end=0.4), "start"),
        (lambda: curve(3).at(0), "steps must be a whole number of at least 1"),
        (lambda: curve(3).over(()), "one or more numbers"),
        (lambda: curve(3).over((4, 4)), "each of them once"),
        (lambda: curve(3).over((4, 0)), "steps must be a whole number"),
        (lambda: curve(3).over(NUMBER), "several numbers"),
        (lambda: curve(3).init({"t": np.zeros(2)}), "'t' .* and 's'"),
        (lambda: curve(3).init(curve(4).init()), r"shapes \(3,\) and \(4,\)"),
        (lambda: curve(3).init(2.0), "a theta with"),
        (lambda: curve(1).init({"t": [], "s": [np.nan]}), "finite numbers"),
        (lambda: from_path(curve(3).at(4), lambda r: r), "a theta with"),
    ],
)
def test_errors(call, sentence):
    with pytest.raises((ValueError, TypeCheckError)) as error:
        call()
    if error.type is ValueError:
        error.match(sentence)

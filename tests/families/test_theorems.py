"""Theorems of the Bespoke paper that no single module owns.

Proposition 2.1 on solutions, Theorem 2.3 in both directions, and the algebra of M_i.
Elsewhere: Theorem 2.2 (test_scale_time), equation 27 and x^aux (test_losses).
"""

from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from field_cases import SCHEDULES
from jax.tree_util import Partial
from oracles import GAUSSIAN, field, gaussian_flow, random_mixture
from scale_time_cases import BASES, perturbed

import bespoke_jax as bj
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.families import from_path, from_schedules, scale_time
from bespoke_jax.reference.paths import Paths

pytestmark = pytest.mark.slow  # many pairs of schedules, each compiled

MIXTURE = random_mixture(2)
X0 = jax.random.normal(jax.random.key(0), (3, 2))
END = 0.98
close = lambda got, want, atol: chex.assert_trees_all_close(got, want, atol=atol)


def time(r):
    return 0.7 * r + 0.3 * r**2


def scale(r):
    return jnp.exp(0.4 * jnp.sin(3 * r))


@pytest.mark.slow
def test_proposition_2_1_on_solutions():
    """diffrax on u_bar from s(0) x_0 is s(r) x(t(r)), x from diffrax on u."""
    u = field(bj.schedules.Cosine(), MIXTURE)
    u_bar = bj.fields.scale_time(u, scale, time)
    r = jnp.linspace(0.0, 1.0, 9)
    exact = lambda u, x0, t: bj.reference.solve_at(
        u, Paths(x0, x0, None), t, rtol=1e-8, atol=1e-8
    )[0]
    x, x_bar = exact(u, X0, time(r)), exact(u_bar, scale(0.0) * X0, r)
    close(x_bar, scale(r)[:, None, None] * x, 1e-6)


class Interval(NamedTuple):
    """Where a new path has the signal-to-noise ratios of an old one on [0, END]."""

    begin: float
    stop: float
    covers: bool


def interval(old, new) -> Interval:
    low, high = old.log_snr(np.array([0.0, END]))
    first, last = new.log_snr(np.array([0.0, 1.0]))
    inside = lambda l: float(np.clip(new.time_at_log_snr(l), 0.0, 1.0))
    return Interval(inside(low), inside(high), first <= low and last >= high)


PAIRS = list(permutations(SCHEDULES, 2))
COVERED = [
    (old, new) for old, new in PAIRS if interval(SCHEDULES[old], SCHEDULES[new]).covers
]


def test_most_pairs_are_covered():
    assert len(PAIRS) == 30 and len(COVERED) >= 18


@pytest.mark.parametrize(("old", "new"), COVERED)
def test_theorem_2_3_maps_paths_onto_paths(old, new):
    """s_r x(t_r) on the old path is the path of the new schedule, at every node.

    The closed-form Gaussian flows of both schedules; at r = 1 the end-point maps.
    """
    old, new = SCHEDULES[old], SCHEDULES[new]
    begin, stop, _ = interval(old, new)
    family = scale_time(4, base="rk4", end=END)
    v = family.values(from_schedules(family, old, new))
    rho = begin + (stop - begin) * v["r"]
    (a, sigma), (new_a, new_sigma) = old(v["t"]), new(rho)
    s_0 = new_sigma[0] / sigma[0]
    # The inverse map: the schedule comes back as s alpha(t), s sigma(t).
    close(s_0 * v["s"] * a, new_a, 1e-7 * float(s_0))
    close(s_0 * v["s"] * sigma, new_sigma, 1e-7 * float(s_0))
    for r, t, s in zip(rho, v["t"], v["s"], strict=True):
        on_old = s_0 * s * gaussian_flow(old, GAUSSIAN, X0, 0.0, t)
        on_new = gaussian_flow(new, GAUSSIAN, s_0 * X0, begin, r)
        close(on_old, on_new, 1e-7 * float(s_0))


def on_interval(u, begin, stop, t, x, c=None):
    return (stop - begin) * u(begin + (stop - begin) * t, x)


# Midpoint for every pair, heun (steps share nodes, a stage at the end) for some.
@pytest.mark.parametrize(
    ("old", "new", "base"),
    [(*pair, "midpoint") for pair in COVERED] + [(*p, "heun") for p in COVERED[::6]],
)
def test_theorem_2_3_solvers_are_the_base_solver_on_the_new_path(old, new, base):
    """On the ideal field of the new path itself, not on a transformed one."""
    old, new = SCHEDULES[old], SCHEDULES[new]
    begin, stop, _ = interval(old, new)
    family = scale_time(4, base=base, end=END)
    got = bj.sample(
        field(old, MIXTURE), family.build(from_schedules(family, old, new)), X0
    )
    base_solver = bj.solvers.TABLE[base].constructor(steps=4)
    native = Partial(
        on_interval, field(new, MIXTURE), jnp.asarray(begin), jnp.asarray(stop)
    )
    s_0 = new(jnp.asarray(begin))[1] / old(jnp.zeros(()))[1]
    s_1 = new(jnp.asarray(stop))[1] / old(jnp.asarray(END))[1]
    close(got, bj.sample(native, base_solver, s_0 * X0) / s_1, 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"), [("condot", "vp"), ("cosine", "edm"), ("condot", "discrete_vp")]
)
def test_a_path_that_starts_late_is_stretched_and_still_consistent(old, new):
    assert (old, new) not in COVERED
    old, new = SCHEDULES[old], SCHEDULES[new]
    exact = gaussian_flow(old, GAUSSIAN, X0, 0.0, END)

    def error(n):
        family = scale_time(n, base="midpoint", end=END)
        solver = family.build(from_schedules(family, old, new))
        assert float(solver.t[0]) == 0.0
        return float(jnp.abs(bj.sample(field(old, GAUSSIAN), solver, X0) - exact).max())

    assert error(64) < error(16) / 8


@dataclass(frozen=True)
class Transformed(bj.schedules.Path):
    """The schedule alpha_bar = s alpha(t), sigma_bar = s sigma(t) of a map."""

    old: Schedule

    def alpha(self, t):
        return scale(t) * self.old(time(t))[0]

    def sigma(self, t):
        return scale(t) * self.old(time(t))[1]


@pytest.mark.parametrize("base", BASES)
def test_theorem_2_3_every_scale_time_map_is_a_schedule(base):
    """The converse: its solver is the base solver on the ideal field of that path."""
    old = bj.schedules.CondOT()
    family = scale_time(3, base=base)
    theta = from_path(family, time, scale)
    u, native = field(old, MIXTURE), field(Transformed(old), MIXTURE)
    got = bj.sample(u, family.build(theta), X0)
    base_solver = bj.solvers.TABLE[base].constructor(steps=3)
    want = bj.sample(native, base_solver, scale(0.0) * X0) / scale(1.0)
    close(got, want, 1e-11)


def test_preconditioning_is_a_larger_noise():
    """t = r/(r + k(1-r)), s = r + k(1-r) on CondOT: Euler from noise of deviation k."""
    k, family = 5.0, scale_time(4, base="euler")
    theta = from_path(
        family, lambda r: r / (r + k * (1 - r)), lambda r: r + k * (1 - r)
    )
    got = bj.sample(field(bj.schedules.CondOT(), MIXTURE), family.build(theta), X0)

    @dataclass(frozen=True)
    class Noisier(bj.schedules.Path):
        def alpha(self, t):
            return t

        def sigma(self, t):
            return k * (1 - t)

    want = bj.sample(field(Noisier(), MIXTURE), bj.solvers.euler(steps=4), k * X0)
    close(got, want, 1e-12)


@pytest.mark.parametrize("base", BASES)
def test_products_of_the_scale_telescope(base):
    """Without rates of s and without a field, M_i = prod_j s_j/s_{j+1} = s_i/s_n."""
    family = scale_time(5, base=base)
    theta = perturbed(family, 3)
    theta["s_dot"] = jnp.zeros_like(theta["s_dot"])
    numbers = lambda theta: (
        family.values(theta)["s"],
        family.steps(theta).lipschitz(0.0),
    )
    s, lipschitz = map(np.asarray, jax.jit(numbers)(theta))
    s = s[:: (s.size - 1) // 5]  # at the ends of the steps
    tails = [np.prod(lipschitz[i:]) for i in range(6)]  # L_n = 1: the empty product
    np.testing.assert_allclose(tails, s / s[-1], rtol=1e-12)


def test_effective_numbers_bound_the_step_more_tightly():
    """|A| + B L_tau <= L: the constant of a step without its gauge."""
    family = scale_time(5, base="euler")
    for seed in range(10):
        theta = perturbed(family, seed, 0.6)
        e, lipschitz = family.effective(theta), family.steps(theta).lipschitz(2.0)
        assert np.all(np.abs(e["A"]) + 2.0 * e["B"] <= lipschitz * (1 + 1e-12))

"""Solvers that depend on a number of each sample: the basis, the rows, the steps."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jaxtyping import TypeCheckError
from oracles import field, random_mixture
from process import python
from scipy.special import iv

import bespoke_jax as bj
from bespoke_jax.cli.ranges import spread
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.norms import rms
from bespoke_jax.fitting import gauss_newton
from bespoke_jax.fitting.conditions import Basis, basis_of, checked, evenly
from bespoke_jax.fitting.data import Data
from bespoke_jax.reference.paths import Paths, take

OT = bj.schedules.CondOT()
LOW, HIGH = 0.0, 6.0


def width(w):
    """Standard deviation of the data at condition w, analytic in it."""
    return jnp.exp((w - 3) / 4)


def velocity(t, x, w):
    """The flow to N(0.5, s^2) with the s of each sample's own condition."""
    t = jnp.reshape(jnp.asarray(t, x.dtype), (-1, 1))
    s = width(w)[:, None]
    y = (x - t * 0.5) / ((t * s) ** 2 + (1 - t) ** 2)
    return 0.5 + t * s**2 * y - (1 - t) * y


def gaussians(w, seed=0, knots=129) -> Paths:
    """Exact paths x_t = t / 2 + sqrt((t s)^2 + (1 - t)^2) x_0."""
    w, t = jnp.asarray(w), jnp.linspace(0, 1, knots)
    x0 = jax.random.normal(jax.random.key(seed), (len(w), 2))
    size = jnp.sqrt((t[None] * width(w)[:, None]) ** 2 + (1 - t[None]) ** 2)
    states = 0.5 * t[None, :, None] + size[..., None] * x0[:, None]
    slopes = jax.vmap(velocity, (0, 1, None), 1)(t, states, w)
    return Paths(x0, states[:, -1], w, t, states, slopes, jnp.asarray(1.0))


def error(solver, w):
    """Mean error of 32 fresh samples of condition w."""
    paths = gaussians(np.full(32, w), seed=9)
    solver = jax.tree.map(jnp.asarray, solver)
    x = bj.sample(velocity, solver, paths.x0, c=paths.c)
    return float(rms(x - paths.x1).mean())


def test_legendre_polynomials_on_the_range():
    """Orthogonal with norm (high - low) / (2 k + 1), 1 at the upper end."""
    basis = basis_of(np.array([2.5, -1.0, 0.0, 1.0]), 3)
    assert basis == Basis(-1.0, 2.5, 3) and basis.size == 4
    nodes, weights = np.polynomial.legendre.leggauss(5)
    P = basis(0.75 + 1.75 * nodes)
    inner = 1.75 * np.einsum("i,ik,il->kl", weights, P, P)
    np.testing.assert_allclose(inner, np.diag(3.5 / (2 * np.arange(4) + 1)), atol=1e-12)
    np.testing.assert_allclose(basis(2.5), np.ones(4), rtol=1e-14)
    np.testing.assert_allclose(basis(-1.0), [1, -1, 1, -1], rtol=1e-14)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: basis_of(np.array([1.0, 2.0, 1.0]), 2), "needs at least 3 different"),
        (lambda: basis_of(np.arange(20.0), 9), "degree must be"),
        (lambda: checked([1.0, 2.0], 3), "3 finite numbers, one per sample"),
        (lambda: checked([1.0, np.nan], 2), "2 finite numbers"),
        (lambda: checked(np.ones((2, 1)), 2), "2 finite numbers"),
        (lambda: checked("01", 2), "condition"),
    ],
)
def test_conditions_that_determine_nothing_are_refused(make, says):
    with pytest.raises((ValueError, TypeCheckError)) as error:
        make()
    if error.type is ValueError:
        assert says in str(error.value)


@pytest.mark.parametrize("size", [1, 2, 3, 144])
def test_every_stretch_sees_the_whole_range(size):
    """Whatever the order that the samples came in."""
    w = np.random.default_rng(0).permutation(np.linspace(LOW, HIGH, size))
    order = evenly(w)
    assert sorted(order) == list(range(size))
    first = w[order[: min(2, size)]]
    assert first.min() == w.min() and first.max() == w.max()
    np.testing.assert_array_equal(w[order], np.sort(w)[evenly(np.sort(w))])
    for start in range(2, size - 34):  # F_9 points: gaps below 1.9 / F_9 of the range
        part = np.sort(w[order][start : start + 34])
        assert np.diff(part, prepend=LOW, append=HIGH).max() < 1.9 / 34 * (HIGH - LOW)


def test_numbers_that_are_spread_stay_in_their_order():
    np.testing.assert_array_equal(evenly(spread(LOW, HIGH, 89)), np.arange(89))


def regressed(condition, degree, n=2, size=40, **options):
    w = spread(LOW, HIGH, size)
    return bj.regress(
        velocity, gaussians(w), times=np.linspace(0, 1, n + 1), schedule=OT,
        condition=condition(w), degree=degree, ridge=1e-13, **options,
    )  # fmt: skip


def test_weights_that_are_polynomials_are_found():
    """The last row has the weight s of x_0 and 1 of D_0: linear in s."""
    found = regressed(width, 1)
    assert isinstance(found, Conditional)
    for w in (LOW, 1.3, HIGH):
        assert error(found.at(float(width(w))), w) < 1e-5


def test_the_error_falls_with_the_degree_as_that_of_the_truncated_series():
    """s = exp(3 v / 4), v in [-1, 1], in Chebyshev's polynomials: c_k = 2 I_k(3 / 4).

    The numbers of `spread` have the density in which these are orthogonal.
    """
    # The first term left out, k = degree + 1, is this large at the ends. One row has no
    # feature that knows s; a second one is better, because its velocity does.
    for degree in (1, 2, 3, 4):
        found = regressed(lambda w: w, degree, n=1, size=200, rounds=0)
        worst = max(error(found.at(w), w) for w in np.linspace(LOW, HIGH, 9))
        assert 0.9 < worst / (2 * iv(degree + 1, 0.75)) < 1.2


def test_a_condition_that_does_not_matter_gives_the_rows_without_it():
    """Every path at each of five conditions: each of them has the same best rows."""
    u, n = field(OT, random_mixture(0)), 64
    x0 = jax.random.normal(jax.random.key(0), (20, 2))
    fine = bj.solvers.euler(nfe=n)
    states = jnp.swapaxes(bj.trajectory(u, fine, x0), 0, 1)
    paths = Paths(x0, states[:, -1], None, jnp.linspace(0, 1, n + 1), states)
    many = take(paths, np.tile(np.arange(20), 5))
    options = {"times": np.linspace(0, 1, 5), "schedule": OT, "ridge": 1e-13}
    plain = bj.regress(u, paths, **options)
    w = np.repeat([0.0, 1.0, 2.0, 4.0, 6.0], 20)
    found = bj.regress(u, many, condition=w, degree=2, **options)
    for value in (0.0, 3.3, 6.0):
        for got, want in zip(
            bj.canonical(found.at(value)), bj.canonical(plain), strict=True
        ):
            np.testing.assert_allclose(got, want, atol=1e-5)


def test_batches_of_conditional_rows_do_not_matter():
    one, other = (regressed(width, 2, batch_size=size) for size in (64, 7))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_derivatives_are_the_kronecker_products_with_the_basis():
    """J_i(Theta) = phi_i (x) J_i(theta_i), against autodiff through `sample`."""
    w = spread(LOW, HIGH, 6)
    basis, paths = basis_of(w, 2), gaussians(w)
    data = Data(paths, basis(w))
    family = bj.families.nonstationary(3, schedule=OT)
    first = family.init()
    draw = lambda leaf: 0.05 * jax.random.normal(jax.random.key(1), (2, *leaf.shape))
    theta = jax.tree.map(lambda leaf: jnp.concatenate([leaf[None], draw(leaf)]), first)
    flat, unravel = ravel_pytree(theta)

    def residual(flat, phi, x0, x1, w):
        mixed = jax.tree.map(lambda leaf: jnp.tensordot(phi, leaf, 1), unravel(flat))
        solver = family.build(mixed)
        return bj.sample(velocity, solver, x0[None], c=w[None])[0] - x1

    args = jnp.asarray(data.phi), paths.x0, paths.x1, paths.c
    r = jax.vmap(residual, (None, 0, 0, 0, 0))(flat, *args)
    J = jax.vmap(jax.jacobian(residual), (None, 0, 0, 0, 0))(flat, *args)
    e = rms(r)
    for size in (None, 4):
        point = gauss_newton.solved(family, theta, velocity, data, batch_size=size)
        np.testing.assert_allclose(point.errors, e, rtol=1e-9)
        gradient, H = gauss_newton.normal_equations(
            family, point, velocity, data, key=jax.random.key(2), probes=2,
            batch_size=size,
        )  # fmt: skip
        want = jnp.einsum("n,ndp,nd->p", 1 / e, J, r)
        np.testing.assert_allclose(gradient, want, rtol=1e-7, atol=1e-9)
        want = jnp.einsum("n,ndp,ndq->pq", 1 / e, J, J)
        np.testing.assert_allclose(H, want, rtol=1e-7, atol=1e-8)


SCRIPT = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
sys.path[:0] = {folders!r}
from test_conditions import HIGH, LOW, OT, gaussians, spread, velocity
import bespoke_jax as bj
from bespoke_jax.fitting import gauss_newton
from bespoke_jax.fitting.conditions import basis_of
from bespoke_jax.fitting.data import Data

mesh = Mesh(np.array(jax.devices()), ("batch",))
shard = lambda leaf: jax.device_put(leaf, NamedSharding(mesh, PartitionSpec("batch")))
w = spread(LOW, HIGH, 32)
paths = gaussians(w)
names = ("x0", "x1", "c", "states", "slopes")
many = paths._replace(**{{name: shard(getattr(paths, name)) for name in names}})
cut = Data(many).cut(8, 24).paths
assert {{leaf.addressable_shards[0].data.shape[0] for leaf in cut[:3]}} == {{4}}
times, basis = np.linspace(0, 1, 3), basis_of(w, 2)
family = bj.families.nonstationary(2, schedule=OT)
lift = lambda leaf: jnp.stack([leaf, 0.1 + 0 * leaf, -0.1 + 0 * leaf])
theta = jax.tree.map(lift, family.init())
found = []
for each in (paths, many):
    solver = bj.regress(velocity, each, times=times, schedule=OT, condition=w)
    e = gauss_newton.errors(family, theta, velocity, Data(each, basis(w)))
    found.append([*solver.solvers, e])
for a, b in zip(*found):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
"""


@pytest.mark.slow
def test_numbers_on_many_devices_are_those_on_one():
    root = Path(__file__).parents[2]
    folders = [str(root / "tests" / name) for name in ("helpers", "fitting")]
    python(SCRIPT.format(folders=folders), devices=4, JAX_ENABLE_X64="1")

"""Profiles: analytic quantiles, equal shares, the least Euler error at power 1/2."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import GAUSSIAN, field, gaussian_paths, random_mixture

import bespoke_jax as bj
from bespoke_jax import grids

END = 1 - 1e-3


def along(position, velocity, *, knots=2001, end=1.0, size=3):
    """Paths of `size` samples that all move as one curve, from their own places."""
    t = np.linspace(0.0, end, knots)
    x, v = position(t)[None], velocity(t)[None]  # (1, knots, dim)
    shift = np.arange(size)[:, None, None]
    states, slopes = jnp.asarray(x + shift), jnp.asarray(v + 0 * shift)
    return bj.Paths(states[:, 0], states[:, -1], None, t, states, slopes, end)


def curve(position, **options):
    """`along` a curve whose velocity is the exact derivative of its position."""
    each = lambda f: lambda t: np.asarray(jax.vmap(f)(t))
    return along(each(position), each(jax.jacfwd(position)), **options)


@pytest.mark.slow
@pytest.mark.parametrize("power", [0.5, 1, 3.0])
def test_constant_acceleration_is_uniform(power):
    paths = curve(lambda t: jnp.stack([3 * t**2 - t, 1 + t**2]), end=0.9)
    grid = grids.profile(paths, power=power).grid(7)
    np.testing.assert_allclose(grid, grids.uniform(7, 0.9), atol=1e-9)


def test_straight_paths_are_uniform():
    paths = curve(lambda t: jnp.stack([3 * t, 1 - t]))
    for kind in ("acceleration", "rotation"):
        grid = grids.profile(paths, kind=kind).grid(5)
        np.testing.assert_allclose(grid, grids.uniform(5), atol=1e-9)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_quantiles_of_a_growing_acceleration(power):
    """x'' = t^2: a density t^(2 p), a share t^(2 p + 1)."""
    paths = curve(lambda t: jnp.stack([t**4 / 12, -(t**4) / 12]))
    want = (np.arange(9) / 8) ** (1 / (2 * power + 1))
    grid = grids.profile(paths, power=power).grid(8)
    np.testing.assert_allclose(grid, want, atol=1e-3)


@pytest.mark.slow
def test_quantiles_of_one_gaussian():
    """On CondOT x_t = t mu + sqrt(q) y, q = t^2 s^2 + (1 - t)^2: |x''| ~ |y| q^-3/2.

    With power 2/3 the density is 1 / q, whose integral is an arctangent.
    """
    s = float(GAUSSIAN.s[0])
    paths = gaussian_paths(bj.schedules.CondOT(), GAUSSIAN, 8, END)
    grid = grids.profile(paths, power=2 / 3).grid(6)
    share = np.arctan(((1 + s**2) * grid - 1) / s)
    np.testing.assert_allclose(np.diff(share), np.ptp(share) / 6, rtol=1e-3)


def angled(angle):
    """A path in the plane with velocity (cos, sin) of an angle."""
    angles = lambda t: np.stack([np.cos(angle(t)), np.sin(angle(t))], 1)
    return along(lambda t: np.stack([t, t], 1), angles)


@pytest.mark.parametrize(
    ("angle", "share"),
    [
        (lambda t: 2 * t**2, lambda t: t**2),
        # turns back half-way: no turn of its plane, and no angle undone
        (lambda t: 2 * (t - 0.5) ** 2, lambda t: 0.5 + 2 * (t - 0.5) * abs(t - 0.5)),
    ],
    ids=["spiral", "inflexion"],
)
def test_rotation_in_the_plane_is_the_turn_of_the_velocity(angle, share):
    grid = grids.profile(angled(angle), kind="rotation").grid(8)
    np.testing.assert_allclose(share(grid), np.arange(9) / 8, atol=2e-3)


def helix(pitch):
    return lambda t: jnp.stack([jnp.cos(20 * t), jnp.sin(20 * t), pitch * t])


@pytest.mark.slow
def test_rotation_counts_the_torsion():
    """sqrt(curvature^2 + torsion^2) ds of a helix is the angle around its axis.

    Of two helices of one angular velocity, one steep and one flat, each has half; the
    velocity alone turns 1 / sqrt(1 + (pitch / 20)^2) as much.
    """
    flat, steep = helix(5.0), helix(40.0)
    paths = curve(lambda t: jnp.where(t < 0.5, flat(t), steep(t)))
    measured = grids.profile(paths, kind="rotation")
    before, after = np.interp([0.49, 0.51], measured.times, measured.share)
    assert after - before < 0.2  # with the corner between the two
    assert before / (1 - after) == pytest.approx(1, abs=1e-3)


def test_rotation_has_no_speed():
    """The grid of a curve run through at another speed lies on the same points."""
    speed = lambda t: (t + t**3) / 2
    one = grids.profile(curve(helix(5.0)), kind="rotation").grid(6)
    other = curve(lambda t: helix(5.0)(speed(t)))
    np.testing.assert_allclose(
        speed(grids.profile(other, kind="rotation").grid(6)), one, atol=2e-3
    )


@pytest.fixture(scope="module")
def mixture():
    path = bj.schedules.CondOT()
    u = field(path, random_mixture(0))
    x0 = jax.random.normal(jax.random.key(0), (64, 2))
    return u, bj.reference.solve(u, x0, end=END, rtol=1e-6, atol=1e-6, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["acceleration", "rotation"])
def test_neighbours_share_the_density_equally(mixture, kind):
    measured = grids.profile(mixture[1], kind=kind)
    share = lambda t: np.interp(t, measured.times, measured.share)
    for n in (1, 3, 16):
        grid = measured.grid(n)
        assert (grid[0], grid[-1]) == (measured.times[0], measured.times[-1])
        np.testing.assert_allclose(np.diff(share(grid)), 1 / n, atol=1e-9)
        np.testing.assert_allclose(measured.grid(2 * n)[::2], grid, atol=1e-9)
    part = measured(4, 0.8, start=0.3)
    steps = np.diff(share(part))
    np.testing.assert_allclose(steps, steps.mean(), atol=1e-9)
    assert (part[0], part[-1]) == (0.3, 0.8)


@pytest.mark.slow
def test_one_half_has_the_least_sum_of_euler_errors(mixture):
    """sum h^2 a / 2 over the steps, and int a^(1/2) squared by 2 n at the least."""
    _, paths = mixture
    bends = bj.metrics.curvature(paths)
    h, n = np.diff(bends.t), 4000

    def errors(power):
        grid = grids.profile(paths, power=power).grid(n)
        middle = (grid[1:] + grid[:-1]) / 2
        a = bends.acceleration[np.searchsorted(bends.t, middle) - 1]
        return np.sum(np.diff(grid) ** 2 * a) / 2

    powers = (0, 0.25, 0.4, 0.5, 0.6, 0.75, 1)
    assert min(powers, key=errors) == 0.5
    least = np.sum(h * np.sqrt(bends.acceleration)) ** 2 / (2 * n)
    assert errors(0.5) == pytest.approx(least, rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("n", [8, 32])
def test_euler_errs_less_than_on_the_uniform_grid(mixture, n):
    u, paths = mixture

    def error(grid):
        solver = bj.solvers.euler(steps=n, grid=grid, end=END)
        return float(bj.metrics.rmse(bj.sample(u, solver, paths.x0), paths.x1))

    assert error(grids.profile(paths)) < 0.87 * error("uniform")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["euler", "unipc", "midpoint"])
def test_a_profile_is_a_grid_of_any_solver(name):
    path = bj.schedules.VP()
    measured = grids.profile(gaussian_paths(path, GAUSSIAN, 4, END))
    stages = bj.solvers.TABLE[name].stages
    listed = measured.grid(6 // stages)
    own, other = (
        bj.solvers.construct(name, 6, schedule=path, grid=grid, end=END)
        for grid in (measured, listed)
    )
    np.testing.assert_allclose(own.t[::stages], listed[:-1], atol=1e-6)
    np.testing.assert_allclose(own.t, other.t, atol=1e-6)


def test_wrong_arguments_are_refused():
    paths = gaussian_paths(bj.schedules.VP(), GAUSSIAN, 4, END)
    with pytest.raises(ValueError, match="kind must be one of acceleration, rotation"):
        grids.profile(paths, kind="rotations")
    with pytest.raises(ValueError, match="power must be a finite number"):
        grids.profile(paths, power=-1)
    with pytest.raises(ValueError, match="profile needs dense paths"):
        grids.profile(paths._replace(knots=None, states=None, slopes=None))
    measured = grids.profile(paths)
    with pytest.raises(ValueError, match="paths from t = 0 to 0.999; got start=0"):
        measured(4, 1.0)
    with pytest.raises(ValueError, match="not all finite"):
        grids.profile(paths._replace(slopes=paths.slopes * np.nan))

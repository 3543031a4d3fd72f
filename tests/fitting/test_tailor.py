"""Levenberg-Marquardt on solvers, and `tailor`: exact rows, recipe, resuming."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from oracles import field, random_mixture

import bespoke_jax as bj
from bespoke_jax.fields.analytic import Mixture
from bespoke_jax.fitting import gauss_newton
from bespoke_jax.metrics.problems import end_point
from bespoke_jax.reference.paths import Stats

SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
MIXTURE = random_mixture(0, dim=3, modes=2, std=0.4)
FIELD = field(SCHEDULE, MIXTURE)
FAMILY = bj.families.nonstationary(3, schedule=SCHEDULE, end=END)


@pytest.fixture(scope="module")
def paths():
    """End points to 12 digits from the host; nothing here reads states in between."""
    x0 = jax.random.normal(jax.random.key(0), (96, 3))
    exact = end_point(Mixture(*MIXTURE), SCHEDULE, x0, END)
    x1 = jnp.asarray(exact)
    return bj.Paths(
        x0, x1, c=None, end=jnp.asarray(END), stats=Stats(100.0, 100, 9600, 1.0)
    )


@pytest.fixture(scope="module")
def theta():
    return FAMILY.init(bj.solvers.dpm_solver_pp_2m(SCHEDULE, nfe=3, end=END))


def step(theta, paths, **options):
    settings = {"key": jax.random.key(1), "probes": 3, **options}
    return gauss_newton.step(FAMILY, theta, FIELD, paths, **settings)


def residual_jacobian(theta, paths):
    """(N, 3, p) of x_n by theta, forward mode through the whole solve."""
    flat, unravel = ravel_pytree(theta)
    run = lambda flat: bj.sample(FIELD, FAMILY.build(unravel(flat)), paths.x0)
    return np.asarray(jax.jacfwd(run)(flat))


def weights(e, c):
    """rho_c'(e) / e of the robust loss."""
    return 1 / (e * (1 + e / c))


@pytest.mark.slow
@pytest.mark.parametrize("c", [math.inf, 0.05])
def test_a_step_solves_the_normal_equations(paths, theta, c):
    few = bj.paths.take(paths, slice(0, 64))
    J = residual_jacobian(theta, few)
    r = np.asarray(bj.sample(FIELD, FAMILY.build(theta), few.x0) - few.x1)
    e = np.sqrt((r**2).mean(1))
    root = np.sqrt(weights(e, c))[:, None]
    A, b = (root[..., None] * J).reshape(-1, J.shape[2]), (root * r).ravel()
    diagonal = np.diag(np.diag(A.T @ A))
    delta = np.linalg.solve(A.T @ A + 30 * diagonal, -A.T @ b)
    made = step(theta, few, c=c, damping=30.0, tries=1)
    moved = ravel_pytree(made.point.theta)[0] - ravel_pytree(theta)[0]
    np.testing.assert_allclose(moved, delta, rtol=1e-6, atol=1e-10)
    assert made.evaluations == 64 * (3 + 2 * (1 + 2 * 3) + 3)
    assert made.loss < np.mean(gauss_newton.robust(e, c))


@pytest.mark.slow
def test_few_probes_keep_the_gradient_and_estimate_the_curvature(paths, theta):
    # With a huge damping the step is -gradient / (damping diag H).
    flat = ravel_pytree(theta)[0]
    full = step(theta, paths, damping=1e6, tries=1)
    exact = np.asarray(ravel_pytree(full.point.theta)[0] - flat)
    moves = []
    for seed in range(12):
        made = step(
            theta, paths, damping=1e6, tries=1, probes=2, key=jax.random.key(seed)
        )
        moves.append(ravel_pytree(made.point.theta)[0] - flat)
    ratio = exact / np.stack(moves)  # diag H of the probes over the exact one
    assert np.std(ratio) > 1e-3
    np.testing.assert_allclose(ratio.mean(0), 1, atol=0.1)


def test_the_robust_loss_has_the_weights_that_the_step_uses():
    e = np.array([0.01, 0.1, 1.0])
    rho = gauss_newton.robust
    slope = lambda c: (rho(e + 1e-6, c) - rho(e - 1e-6, c)) / 2e-6
    np.testing.assert_allclose(slope(0.05) / e, weights(e, 0.05), rtol=1e-6)
    np.testing.assert_allclose(slope(math.inf) / e, weights(e, math.inf), rtol=1e-6)


@pytest.mark.slow
def test_flipped_samples_do_not_rule_the_robust_fit(paths, theta):
    far = paths._replace(x1=paths.x1.at[:5].add(50.0))
    flipped, clean = theta, theta
    for k in range(8):
        key = jax.random.key(k)
        flipped = step(flipped, far, c=0.02, key=key).point.theta
        clean = step(clean, paths, c=0.02, key=key).point.theta
    good = bj.paths.take(paths, slice(5, None))
    median = lambda theta: np.median(gauss_newton.errors(FAMILY, theta, FIELD, good))
    assert median(flipped) < 0.1 * median(theta)
    assert median(flipped) < 1.3 * median(clean)


@pytest.mark.slow
def test_conditioning_and_the_last_chunk_are_carried_along(paths, theta):
    shifted = lambda t, x, c: FIELD(t, x - c) if c is not None else FIELD(t, x)
    c = 0.1 * jnp.arange(96.0)[:, None] * jnp.ones((1, 3))
    moved = paths._replace(c=c)
    whole = gauss_newton.errors(FAMILY, theta, shifted, moved)
    for size in (1, 40, 96, 500):
        np.testing.assert_allclose(
            gauss_newton.errors(FAMILY, theta, shifted, moved, batch_size=size),
            whole,
            rtol=1e-10,
        )
    x = bj.sample(shifted, FAMILY.build(theta), paths.x0, c=c)
    np.testing.assert_allclose(whole, bj.metrics.errors(x, paths.x1), rtol=1e-10)


def tailor(paths, **options):
    settings = {"nfe": 3, "schedule": SCHEDULE, "end": END, "probes": 3, **options}
    return bj.tailor(FIELD, paths, key=jax.random.key(2), progress=False, **settings)


@pytest.fixture(scope="module")
def tailored(paths):
    return tailor(paths)


@pytest.mark.slow
def test_tailor_is_far_below_every_training_free_solver(paths, tailored):
    assert tailored.rmse < 0.5 * tailored.start_rmse
    # The last fifth of the paths chose nothing; the fifth before it chose the iterate.
    for chosen, score in ((77, tailored.rmse), (58, tailored.history.rmse[-1])):
        part = bj.paths.take(paths, slice(chosen, chosen + 19))
        x = bj.sample(FIELD, tailored.solver, part.x0)
        assert float(bj.metrics.rmse(x, part.x1)) == pytest.approx(score)
    scores = [start.score for start in tailored.starts[:3]]
    assert scores == sorted(scores)
    names = {start.name for start in tailored.starts}
    assert {"ddim, log_snr", "midpoint, uniform"} & names
    assert np.all(np.diff(tailored.history.rmse) <= 0)
    assert np.all(np.diff(tailored.history.evaluations) > 0)
    assert tailored.history.evaluations[0] > paths.stats.evaluations


@pytest.mark.slow
def test_one_evaluation_more_is_never_worse(paths, tailored):
    larger = tailor(paths, nfe=4, starts=[tailored.solver], evaluations=12_000)
    assert larger.history.rmse.size == 1  # the budget does not pay for a step
    assert larger.evaluations <= 12_000
    # On the paths that chose the smaller one: adding a row changes nothing.
    assert larger.history.rmse[-1] <= tailored.history.rmse[-1] * (1 + 1e-6)


@pytest.mark.slow
def test_an_interrupted_tailor_goes_on_to_the_same_solver(paths, tmp_path, monkeypatch):
    whole = tailor(paths, directory=tmp_path / "a")
    real, calls = gauss_newton.step, []

    def broken(*args, **options):
        calls.append(None)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(gauss_newton, "step", broken)
    with pytest.raises(KeyboardInterrupt):
        tailor(paths, directory=tmp_path / "b")
    assert len(calls) == 6
    monkeypatch.setattr(gauss_newton, "step", real)
    again = tailor(paths, directory=tmp_path / "b")
    for ours, theirs in zip(again.solver, whole.solver, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.rmse == whole.rmse
    np.testing.assert_array_equal(again.history.rmse, whole.history.rmse)
    np.testing.assert_array_equal(again.history.evaluations, whole.history.evaluations)
    with pytest.raises(ValueError, match="holds another run"):
        tailor(paths, directory=tmp_path / "b", judge="median")
    # A truth of the same content that took another time is the same truth.
    slower = paths._replace(stats=paths.stats._replace(seconds=99.0))
    monkeypatch.setattr(gauss_newton, "step", None)
    once_more = tailor(slower, directory=tmp_path / "b")
    for ours, theirs in zip(once_more.solver, whole.solver, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_bad_input_is_told(paths, theta):
    with pytest.raises(ValueError, match="judge must be one of"):
        tailor(paths, judge="best")
    with pytest.raises(ValueError, match="must have 3 or 2 evaluations; got 5"):
        tailor(paths, starts=[bj.solvers.euler(steps=5, end=END)])
    for call in (lambda: step(theta, paths, probes=1), lambda: tailor(paths, probes=1)):
        with pytest.raises(
            ValueError, match="probes must be a whole number of at least 2; got 1"
        ):
            call()
    with pytest.raises(ValueError, match="paths run from 0 to 0.999, start and end"):
        tailor(paths, end=0.9)
    with pytest.raises(ValueError, match="at least 4 paths"):
        tailor(bj.paths.take(paths, slice(0, 3)))
    with pytest.raises(
        ValueError, match="evaluations, or None, must be a finite number above 0"
    ):
        tailor(paths, evaluations=-1)


@pytest.mark.parametrize(
    ("f", "says"),
    [
        (lambda t, x: x * jnp.nan, "the field is not finite at t = "),
        (lambda t, x: x - x.mean(0, keepdims=True), "are not independent"),
    ],
)
def test_a_broken_field_is_told_before_anything_is_spent(paths, f, says):
    with pytest.raises(ValueError, match=says):
        bj.tailor(f, paths, nfe=3, end=END, key=jax.random.key(0), progress=False)


@pytest.mark.slow
def test_a_field_that_no_start_solves_is_told(paths):
    f = lambda t, x: jnp.where(t[:, None] < 1e-9, jnp.nan, x)  # where all begin
    with pytest.raises(ValueError, match="none of .* starts solves this field"):
        bj.tailor(
            f, paths, nfe=3, end=END, schedule=SCHEDULE, key=jax.random.key(0),
            progress=False, evaluations=20_000,
        )  # fmt: skip


def descend(family, paths, steps):
    advance = lambda theta, k, damping: gauss_newton.step(
        family, theta, FIELD, paths, key=jax.random.key(k), damping=damping
    )
    made = advance(family.init(), 0, 1e-2)
    for k in range(1, steps):
        made = advance(made.point.theta, k, made.damping)
    assert made.loss == pytest.approx(made.point.errors.mean())
    return made


@pytest.mark.slow
def test_scale_time_solvers_take_the_same_steps(paths):
    family = bj.families.scale_time(2, base="euler", end=END)
    start = gauss_newton.errors(family, family.init(), FIELD, paths).mean()
    assert descend(family, paths, 6).loss < 0.75 * start


@pytest.mark.slow
def test_learned_times_are_those_of_a_search(paths):
    grid = bj.grids.log_snr(3, SCHEDULE, END)
    make = lambda times: bj.solvers.ddim(SCHEDULE, nfe=3, grid=times, end=END)
    family = bj.families.timesteps(make, grid)
    made = descend(family, paths, 25)

    def loss(z):
        return gauss_newton.errors(family, {"t": z}, FIELD, paths).mean()

    around = np.linspace(-1.5, 1.5, 9)
    tried = [
        loss(made.point.theta["t"] + jnp.array([x, y])) for x in around for y in around
    ]
    assert made.loss <= min(tried) * (1 + 1e-3)

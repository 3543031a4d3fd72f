"""Comparisons count, time and judge what `sample` does; step errors in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slowly

from bespoke_jax import metrics, sample, solvers
from bespoke_jax.reference.paths import Paths

X0 = np.random.default_rng(0).standard_normal((5, 3))


def growth(t, x, c=None):
    """dx/dt = x, whose flow is x_0 exp(t)."""
    return x


def along(states, velocities, end=1.0, knots=257) -> Paths:
    """Paths with given functions of time for states and velocities."""
    t = np.linspace(0, end, knots)
    x, v = (
        jnp.asarray(np.stack([f(s) for s in t], axis=1)) for f in (states, velocities)
    )
    return Paths(x[:, 0], x[:, -1], None, t, x, v, end)


EXPONENTIAL = along(lambda t: X0 * np.exp(t), lambda t: X0 * np.exp(t))
RMS = np.sqrt(np.mean(np.asarray(X0) ** 2, axis=1))


def test_errors_are_those_of_the_solver_however_batched():
    given = {
        "euler": [solvers.euler(steps=n) for n in (2, 4)],
        "midpoint": solvers.midpoint(steps=2),
    }
    points = metrics.work_precision(
        growth, given, EXPONENTIAL, batch_size=2, keep=3, progress=False
    )
    named = [(p.name, p.nfe) for p in points]
    assert named == [("euler", 2), ("euler", 4), ("midpoint", 4)]
    factors = [1.5**2, 1.25**4, (1 + 0.5 + 0.125) ** 2]
    for point, factor in zip(points, factors, strict=True):
        np.testing.assert_allclose(point.errors, RMS * (np.e - factor), rtol=1e-9)
        np.testing.assert_allclose(point.rmse.mean, np.mean(point.errors))
        np.testing.assert_allclose(point.samples, X0[:3] * factor, rtol=1e-12)
        assert point.rmse.low <= point.rmse.mean <= point.rmse.high
        psnr = 20 * np.log10(2 / point.rmse.mean)
        np.testing.assert_allclose(point.psnr, psnr, rtol=1e-6)
        # Noise and samples of a batch are both there at the end.
        assert point.peak_bytes >= 2 * 2 * 3 * X0.nbytes / X0.size
        assert point.seconds > 0 and point.compile_seconds > 0
    row = points[0].row()
    assert row["solver"] == "euler" and row["nfe"] == 2
    assert row["rmse_p95"] == points[0].rmse.p95
    assert row["flip_rate"] == points[0].rmse.flip_rate


@pytest.mark.slow
def test_nfe_is_the_number_of_network_calls():
    calls = []

    def counted(t, x, c=None):
        jax.debug.callback(lambda: calls.append(None))
        return x

    for name in ("midpoint", "rk4", "adams_bashforth"):
        solver = solvers.construct(name, 9)
        (point,) = metrics.work_precision(
            counted, {name: solver}, EXPONENTIAL, repeats=1, progress=False
        )
        jax.effects_barrier()
        assert len(calls) == 2 * point.nfe  # one batch, once more for its time
        calls.clear()


def test_conditioning_goes_with_its_sample():
    c = {"rate": jnp.arange(5.0)}
    paths = EXPONENTIAL._replace(c=c)
    field = lambda t, x, c: c["rate"][:, None] * x
    (point,) = metrics.work_precision(
        field,
        {"euler": solvers.euler(steps=1)},
        paths,
        batch_size=2,
        keep=5,
        progress=False,
    )
    np.testing.assert_allclose(point.samples, X0 * (1 + c["rate"][:, None]))


def test_what_cannot_be_compared_is_refused():
    compare = lambda given, **options: metrics.work_precision(
        growth, given, EXPONENTIAL, progress=False, **options
    )
    with pytest.raises(ValueError, match="early runs from t = 0 to 0.5 and the paths"):
        compare({"early": solvers.euler(steps=2, end=0.5)})
    with pytest.raises(ValueError, match="euler is given twice with 2 NFE"):
        compare({"euler": [solvers.euler(steps=2)] * 2})
    with pytest.raises(ValueError, match="at least one solver"):
        compare({})
    with pytest.raises(ValueError, match="repeats must be a whole number"):
        compare({"euler": solvers.euler(steps=1)}, repeats=0)


@pytest.mark.parametrize("steps", [1, slowly(5)])
def test_step_errors_of_euler_on_an_exponential(steps):
    found = metrics.step_errors(growth, solvers.euler(steps=steps), EXPONENTIAL)
    t, h = np.arange(1, steps + 1) / steps, 1 / steps
    np.testing.assert_allclose(found.t, t)
    alone = np.exp(t - h) * (np.exp(h) - 1 - h)
    np.testing.assert_allclose(found.local, RMS.mean() * alone, rtol=1e-7)
    gathered = np.exp(t) - (1 + h) ** np.arange(1, steps + 1)
    np.testing.assert_allclose(found.reached, RMS.mean() * gathered, rtol=1e-7)


@pytest.mark.slow
def test_step_errors_show_the_orders_of_stage_and_step():
    """A midpoint step: its half Euler stage errs by h^2 / 8, the whole by h^3 / 24."""
    ratios = []
    for steps in (8, 16):
        solver = solvers.midpoint(steps=steps)
        found = metrics.step_errors(growth, solver, EXPONENTIAL)
        ratios.append(np.asarray(found.local)[:2])
        x = sample(growth, solver, X0)
        np.testing.assert_allclose(
            found.reached[-1], metrics.rmse(x, EXPONENTIAL.x1), rtol=1e-9
        )
    np.testing.assert_allclose(np.log2(ratios[0] / ratios[1]), [2, 3], atol=0.1)


@pytest.mark.slow
def test_a_multistep_row_reads_the_exact_past():
    """Adams-Bashforth of order 2 errs by 5/12 h^3 x''' in each row after the first."""
    n = 64
    found = metrics.step_errors(growth, solvers.adams_bashforth(nfe=n), EXPONENTIAL)
    expected = 5 / 12 / n**3 * np.exp(found.t[1:]) * RMS.mean()
    np.testing.assert_allclose(found.local[1:], expected, rtol=0.05)


def test_curvature_of_a_parabola():
    direction = jnp.asarray(np.random.default_rng(1).standard_normal((5, 3)))
    size = float(np.mean(np.sqrt(np.mean(np.asarray(direction) ** 2, axis=1))))
    square = float(np.mean(np.asarray(direction) ** 2))
    paths = along(lambda t: X0 + t**2 * direction, lambda t: 2 * t * direction)
    bent = metrics.curvature(paths)
    np.testing.assert_allclose(bent.departure, size * abs(2 * bent.t - 1), atol=1e-9)
    np.testing.assert_allclose(bent.acceleration, 2 * size, rtol=1e-9)
    np.testing.assert_allclose(bent.straightness, square / 3, rtol=1e-4)


def test_straight_paths_have_no_curvature():
    paths = along(lambda t: X0 * (1 + t), lambda t: X0, end=0.8)
    bent = metrics.curvature(paths)
    np.testing.assert_allclose(bent.departure, 0, atol=1e-9)
    assert bent.straightness < 1e-18

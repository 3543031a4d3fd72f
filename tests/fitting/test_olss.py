"""OLSS: the rows of regress on exact paths, on the steps of the smallest limit."""

import chex
import jax
import numpy as np
import pytest
from oracles import GAUSSIAN, field, gaussian_paths, random_mixture

import bespoke_jax as bj
from bespoke_jax.fitting import olss as module

VP, CONDOT, END = bj.schedules.VP(), bj.schedules.CondOT(), 1 - 1e-3


def truth(size, seed=0, schedule=VP):
    x0 = jax.random.normal(jax.random.key(seed), (size, 2))
    u = field(schedule, random_mixture(0))
    return u, bj.reference.solve(u, x0, end=END, rtol=1e-6, atol=1e-6, progress=False)


def error(u, solver, paths):
    return float(bj.metrics.rmse(bj.sample(u, solver, paths.x0), paths.x1))


@pytest.fixture(scope="module")
def few():
    return truth(24)


def counted(u, calls):
    """The field, which notes the samples of every evaluation that is run."""

    def field(t, x):
        jax.debug.callback(lambda: calls.append(x.shape[0]))
        return u(t, x)

    return field


def measured(paths, teacher, prediction="noise", schedule=VP):
    gram = module.gram(paths, np.asarray(teacher), schedule, prediction)
    return module.errors_of(gram)


@pytest.mark.slow
@pytest.mark.parametrize("prediction", ["noise", "data"])
def test_with_given_times_it_is_regress_on_exact_states(few, prediction):
    u, paths = few
    times = bj.grids.log_snr(4, VP, END)
    given = bj.olss(
        u, paths, nfe=4, schedule=VP, teacher=[*times], prediction=prediction
    )
    want = bj.regress(
        u, paths, times=times, schedule=VP, states="exact", rounds=0,
        prediction=prediction, ridge=1e-5,
    )  # fmt: skip
    chex.assert_trees_all_equal(given, want)


@pytest.mark.slow
@pytest.mark.parametrize("prediction", ["noise", "data"])
def test_rows_are_least_squares_on_the_exact_path(few, prediction):
    """The last row, against NumPy's on x_0 and the exact predictions."""
    u, paths = few
    times = np.array([0.0, 0.4, 0.8, END])
    solver = bj.olss(
        u, paths, nfe=3, schedule=VP, teacher=times, prediction=prediction, ridge=1e-14
    )
    x, _ = bj.paths.at(paths, times[:-1])
    node = bj.schedules.endpoints.at(VP, times[:-1])
    columns = [np.ravel(paths.x0)]
    forms, states = [np.eye(4)[0]], [np.eye(4)[0]]
    a, b = bj.canonical(solver)
    states += [np.append(a[i], b[i]) for i in range(2)]
    for i in range(3):
        at = bj.schedules.endpoints.Endpoints(*(float(y[i]) for y in node))
        predict = getattr(at, prediction)
        columns.append(np.ravel(predict(x[i], u(jax.numpy.asarray(times[i]), x[i]))))
        forms.append(predict(states[i], np.eye(4)[1 + i]))
    w, *_ = np.linalg.lstsq(np.stack(columns, 1), np.ravel(paths.x1), rcond=None)
    np.testing.assert_allclose(
        np.append(a[-1], b[-1]), w @ np.stack(forms), rtol=1e-4, atol=1e-4
    )


@pytest.mark.slow
def test_the_limit_is_the_smallest_of_all(few):
    """Every limit that changes a choice is an error of some chosen times."""
    _, paths = few
    teacher = np.linspace(0, END, 9)
    error = measured(paths, teacher)
    subsets = [(0, *(k + 1 for k in range(7) if bits >> k & 1)) for bits in range(2**7)]
    limits = sorted({error(s, j) for s in subsets for j in range(s[-1] + 1, 9)})
    for nfe in (1, 2, 3, 5, 8):
        paths_of = {l: module.greedy(error, 8, nfe, l)[0] for l in [0.0, *limits]}
        first = next(l for l, path in paths_of.items() if path[-1] == 8)
        path, limit = module.search(error, 8, nfe)
        assert limit == first and path == paths_of[first] and len(path) <= nfe + 1


@pytest.mark.slow
def test_errors_of_the_search_are_those_of_least_squares(few):
    _, paths = few
    teacher = np.linspace(0, END, 6)
    error = measured(paths, teacher)
    x, v = (np.asarray(y) for y in bj.paths.at(paths, teacher))
    node = bj.schedules.endpoints.at(VP, teacher[:-1])
    eps = [
        (node.d_alpha[i] * x[i] - node.alpha[i] * v[i]) / node.W[i] for i in range(5)
    ]
    F = np.stack([np.ravel(y) for y in (x[0], eps[0], eps[2])], 1)
    w, *_ = np.linalg.lstsq(F, np.ravel(x[4]), rcond=None)
    want = np.sqrt(np.mean((F @ w - np.ravel(x[4])) ** 2))
    assert error((0, 2), 4) == pytest.approx(want, rel=1e-4)
    assert error((0, 2), 4) <= error((0,), 4)


def test_the_longest_steps_are_halved():
    assert module.halved([0, 3, 11], 4) == [0, 3, 5, 7, 11]
    assert module.halved([0, 4], 1) == [0, 4]
    assert module.halved([0, 4], 4) == [0, 1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("nfe", [2, 3])
def test_one_gaussian_is_exact_from_two_evaluations(nfe):
    u = field(VP, GAUSSIAN)
    paths = gaussian_paths(VP, GAUSSIAN, 12, END)
    solver = bj.olss(u, paths, nfe=nfe, schedule=VP, ridge=1e-13)
    assert solver.nfe == nfe and error(u, solver, paths) < 1e-5
    assert error(u, bj.solvers.ddim(VP, nfe=nfe, end=END), paths) > 1e-2


@pytest.mark.slow
def test_it_spends_what_it_says_and_beats_ddim(few):
    """Rows of exact states do not see each other's errors: a ridge bounds their sizes.

    Without one the solver was up to 14 times worse than DDIM on a mixture.
    """
    u, paths = few
    fresh = truth(128, seed=1)[1]
    for nfe in (6, 8, 10):
        calls = []
        solver = bj.olss(counted(u, calls), paths, nfe=nfe, schedule=VP)
        jax.effects_barrier()
        assert sum(calls) == nfe * paths.size and solver.nfe == nfe
        ddim = min(
            error(u, bj.solvers.ddim(VP, nfe=nfe, grid=grid, end=END), fresh)
            for grid in bj.grids.NAMES
        )
        assert error(u, solver, fresh) < 0.35 * ddim


@pytest.mark.slow
def test_wrong_arguments_are_refused(few):
    u, paths = few
    options = {"schedule": VP, "nfe": 4}
    with pytest.raises(ValueError, match="teacher must be more than nfe = 4 times"):
        bj.olss(u, paths, **options, teacher=[0.0, 0.5, END])
    with pytest.raises(ValueError, match="from 0 to 0.999, as the paths do; got 6"):
        bj.olss(u, paths, **options, teacher=np.linspace(0, 1, 6))
    with pytest.raises(ValueError, match="olss needs dense paths"):
        bj.olss(u, paths._replace(slopes=None), **options)
    with pytest.raises(ValueError, match="prediction must be one of data, noise"):
        bj.olss(u, paths, **options, prediction="score")
    flat = {"schedule": CONDOT, "nfe": 4}
    with pytest.raises(ValueError, match='use prediction="data"'):
        bj.olss(
            field(CONDOT, GAUSSIAN), gaussian_paths(CONDOT, GAUSSIAN, 4, END), **flat
        )

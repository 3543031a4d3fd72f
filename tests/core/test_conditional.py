"""Conditional solvers: what interpolation promises, and what is refused."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from bespoke_jax.core.conditional import (
    Conditional,
    chebyshev,
    check_conditional,
    conditional,
)
from bespoke_jax.core.solver import Solver, canonical

BASE = Solver(
    np.array([0.0, 0.3, 0.6]),
    np.array([1.0, 0.2, 0.0]),
    np.array([[0.0, 0.0], [0.8, 0.0], [0.0, 1.0]]),
    np.array([[0.3, 0.0], [0.2, 0.1], [0.7, -0.2]]),
    np.array(0.999),
)
GUIDED = (0.0, 6.0)


def moved(function, w):
    """BASE with inner times and weights that depend on w."""
    f = float(function(w))
    t = np.array([0.0, 0.3 + 0.1 * f, 0.6 + 0.05 * f])
    return BASE._replace(t=t, a=BASE.a + f, q=BASE.q * np.array([[1.0], [1.0], [f]]))


def runge(w):
    """Analytic, with poles at w = 3 +- 3i."""
    return 1 / (1 + ((w - 3) / 3) ** 2)


def wave(w):
    return np.cos(w) ** 2


def tabulated(build, low, high, count) -> Conditional:
    """Exactly `count` nodes, whatever they reproduce."""
    nodes = chebyshev(low, high, count)
    forms = [canonical(build(w)) for w in nodes]
    n = build(low).nfe
    lag = np.zeros((count, n, n))
    for k, (_, b) in enumerate(forms):
        for i in range(n):
            lag[k, i, : i + 1] = b[i, i::-1]
    solvers = Solver(
        np.stack([build(w).t for w in nodes]),
        np.stack([a for a, _ in forms]),
        np.zeros((count, n, 0)),
        lag,
        np.full(count, float(BASE.end)),
    )
    return check_conditional(Conditional(low, high, nodes, solvers))


def off(found, build, ws) -> float:
    """The largest difference of a number of the canonical forms."""
    worst = 0.0
    for w in ws:
        got, want = found.at(w), build(w)
        pairs = [*zip(canonical(got), canonical(want), strict=True), (got.t, want.t)]
        worst = max(worst, *(float(np.abs(a - b).max()) for a, b in pairs))
    return worst


WS = np.linspace(*GUIDED, 41).tolist()


@pytest.mark.parametrize("count", [2, 3, 5, 9, 17, 33])
def test_points_are_nested_symmetric_and_those_of_chebyshev(count):
    coarse, fine = chebyshev(-0.3, 0.6, count), chebyshev(-0.3, 0.6, 2 * count - 1)
    assert fine[::2].tolist() == coarse.tolist()
    j = np.arange(count)
    want = 0.15 - 0.45 * np.cos(j * np.pi / (count - 1))
    np.testing.assert_allclose(coarse, want, atol=1e-15)
    unit = chebyshev(-1.0, 1.0, count)
    assert (unit == -unit[::-1]).all() and (coarse[0], coarse[-1]) == (-0.3, 0.6)


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_polynomials_of_degree_m_minus_1_are_exact(count):
    rng = np.random.default_rng(count)
    poly = np.polynomial.Chebyshev(rng.uniform(0, 0.2, count), GUIDED)
    assert (
        off(tabulated(partial(moved, poly), *GUIDED, count), partial(moved, poly), WS)
        < 1e-14
    )
    over = np.polynomial.Chebyshev([*np.zeros(count), 0.3], GUIDED)
    build = partial(moved, over)
    assert off(tabulated(build, *GUIDED, count), build, WS) > 0.1


def test_convergence_is_geometric_at_the_rate_of_the_nearest_pole():
    """Poles at +-i of [-1, 1]: errors fall as (1 + sqrt(2))^-M."""
    build, counts = partial(moved, runge), (9, 13, 17, 21, 25, 29)
    errors = [off(tabulated(build, *GUIDED, m), build, WS) for m in counts]
    rate = -np.polyfit(counts, np.log(errors), 1)[0]
    assert rate == pytest.approx(np.log(1 + np.sqrt(2)), rel=0.05)


@pytest.mark.parametrize(
    ("function", "nodes"), [(lambda w: 0.5, 2), (lambda w: w / 6, 2), (runge, 17)]
)
def test_the_fewest_nodes_that_reach_the_tolerance_are_kept(function, nodes):
    build = partial(moved, function)
    found = conditional(build, *GUIDED)
    assert len(found.nodes) == nodes and found.nfe == 3
    assert off(found, build, WS) < 2e-6
    finer = conditional(build, *GUIDED, tolerance=1e-10)
    assert off(finer, build, WS) < 2e-10


def test_an_odd_table_is_not_taken_for_a_line():
    """w^3 passes a line through its ends and its middle."""
    build = partial(moved, lambda w: 0.5 + w**3 / 4)
    assert off(conditional(build, -1, 1), build, [-0.5, 0.3, 0.7]) < 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nodes_are_exact_and_what_is_constant_stays_to_the_bit(dtype):
    def build(w):
        return Solver._make(leaf.astype(dtype) for leaf in moved(runge, w))

    found = conditional(build, *GUIDED)
    for k, w in enumerate(found.nodes.tolist()):
        got = found.at(w)
        assert {leaf.dtype for leaf in got} == {np.dtype(dtype)}
        for leaf, all_leaves in zip(got, found.solvers, strict=True):
            assert leaf.tobytes() == np.asarray(all_leaves)[k].tobytes()
        want = canonical(build(w))
        for a, b in zip(canonical(got), want, strict=True):
            np.testing.assert_allclose(a, b, rtol=2 * np.finfo(dtype).eps, atol=0)
    for w in WS:
        got = found.at(w)
        assert (got.t[0], got.end) == (0.0, dtype(0.999))


def test_the_ends_forgive_the_rounding_of_a_float32():
    found = conditional(partial(moved, runge), 0.1, 6.1)
    for w, end in ((np.float32(6.1), -1), (np.float32(0.1), 0), (np.array(6.1), -1)):
        for leaf, all_leaves in zip(found.at(w), found.solvers, strict=True):
            np.testing.assert_allclose(leaf, np.asarray(all_leaves)[end], atol=1e-6)


def test_times_stay_in_the_interval():
    """A polynomial through times within bounds may cross them."""
    rough = lambda w: 6.98 if abs(w - 3) < 2 else 0.0
    build = partial(moved, rough)
    times = [tabulated(build, *GUIDED, 9).at(w).t for w in WS]
    assert 0 <= np.min(times) and np.max(times) <= 0.999
    assert np.max(times) > 0.99


@pytest.mark.parametrize(
    ("w", "says"),
    [
        (6.1, "fitted for 0 .. 6; extrapolation is not supported"),
        (-1e-3, "fitted for 0 .. 6; extrapolation is not supported"),
        (float("nan"), "condition must be a finite number; got nan"),
        (float("inf"), "condition must be a finite number"),
        ("3", "condition must be a finite number; got '3'"),
        (True, "condition must be a finite number; got True"),
        (np.ones(2), "condition must be a finite number"),
    ],
)
def test_other_conditions_are_refused(w: Any, says):
    found = conditional(partial(moved, runge), *GUIDED)
    with pytest.raises((ValueError, TypeCheckError)) as error:
        found.at(w)
    if error.type is ValueError:
        error.match(says)


def _nan_inside(w):
    return moved(lambda w: np.nan if 2 < w < 4 else 1.0, w)


def _longer(w):
    return Solver(*moved(wave, w)) if w < 6 else _shorter()


def _shorter():
    return Solver(BASE.t[:2], BASE.a[:2], BASE.p[:2], BASE.q[:2], BASE.end)


@pytest.mark.parametrize(
    ("build", "options", "says"),
    [
        (partial(moved, abs), {"low": 6}, "low must be below high; got 6 and 6"),
        (partial(moved, abs), {"high": np.nan}, "high must be a finite number"),
        (partial(moved, abs), {"tolerance": 0}, "tolerance must be"),
        (partial(moved, abs), {"most": 1}, "most must be a whole number"),
        (_nan_inside, {}, "the solver of condition 3: solver.t must be finite"),
        (_longer, {}, "solvers of the same NFE for every condition; got 2 and 3"),
        (
            lambda w: BASE._replace(end=np.array(0.9 + w / 100)),
            {},
            "all nodes must end at the same time",
        ),
        (lambda w: w, {}, "the solver of condition 0: expected a Solver; got 0.0"),
        (
            lambda w: moved(lambda w: abs(w - 1) / 6, w),
            {},
            "reaches a relative accuracy of 0.0.* with at most 33 nodes",
        ),
        (partial(moved, runge), {"most": 9}, "accuracy of .* with at most 9 nodes"),
    ],
)
def test_what_cannot_be_tabulated_is_told(build, options, says):
    low, high = (
        options.pop(k, v) for k, v in zip(("low", "high"), GUIDED, strict=True)
    )
    with pytest.raises((ValueError, TypeCheckError)) as error:
        conditional(build, low, high, **options)
    if error.type is ValueError:
        error.match(says)


FOUND = conditional(partial(moved, wave), *GUIDED)
COUNT = len(FOUND.nodes)


def changed(leaf: str, index, value) -> Conditional:
    leaves = FOUND.solvers._asdict()
    leaves[leaf] = leaves[leaf].copy()
    leaves[leaf][index] = value
    return FOUND._replace(solvers=Solver(**leaves))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (BASE, "expected a Conditional; got an object of type Solver"),
        (FOUND._replace(low=7.0), "low must be below high"),
        (FOUND._replace(low=np.nan), "low must be a finite number"),
        (FOUND._replace(high=6.5), "must be the 17 Chebyshev points"),
        (FOUND._replace(nodes=FOUND.nodes[::-1]), "Chebyshev points of .*increasing"),
        (FOUND._replace(nodes=np.linspace(0, 6, COUNT)), "Chebyshev points"),
        (FOUND._replace(nodes=np.array([0.0])), r"M >= 2; got shape \(1,\)"),
        (FOUND._replace(solvers=FOUND), "solvers must be a Solver"),
        (FOUND._replace(solvers=BASE), "needs solvers in canonical form"),
        (changed("a", (3, 1), np.nan), "node 3 .condition .*: solver.a must be finite"),
        (changed("t", (2, 0), 1.0), "node 2 .*solver.t must lie in"),
        (changed("q", (1, 0, 2), 1.0), "node 1 .*weight on an entry before the start"),
        (changed("end", 0, 0.9999), "must end at the same time; got .0.999, 0.9999."),
    ],
)
def test_no_half_good_conditional_passes(value, says):
    with pytest.raises(ValueError, match=says):
        check_conditional(value)


def test_numbers_too_large_to_interpolate_are_refused():
    found = changed("a", 0, 1.7e308)
    found = found._replace(solvers=found.solvers._replace(a=found.solvers.a.copy()))
    found.solvers.a[-1] = -1.7e308
    with pytest.raises(ValueError, match="solver.a must be finite"):
        check_conditional(found).at(2.9)

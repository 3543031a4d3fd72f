"""UniPC's varying coefficients: the polynomial's integral, and the program's fault."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from host import run
from oracles import Mixture, field

import bespoke_jax as bj
from bespoke_jax.solvers import dpm_solver_pp_2m, unipc
from bespoke_jax.solvers import prediction as predictions

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden.json").read_text())
VP, END = bj.schedules.VP(), 1 - 1e-3
_S, _W = np.polynomial.legendre.leggauss(30)


def same(one, two, tolerance=1e-11):
    np.testing.assert_allclose(one.t, two.t, atol=1e-14)
    for a, b in zip(bj.canonical(one), bj.canonical(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def integrals(e, count):
    """int_0^1 e exp(e (1 - s)) s^k / k! ds for k = 1..count, by quadrature."""
    s, w = (_S + 1) / 2, _W / 2 * e
    weight = w * np.exp(e * (1 - (_S + 1) / 2))
    return np.array([weight @ s**k / math.factorial(k) for k in range(1, count + 1)])


def weights(nodes, e, program=False):
    """Weights of the differences D_j = sum_k r_j^(k-1) y_k / k!, y_k = h^k m^(k).

    Zhao et al., 2023, write the matrix C of these powers and multiply the integrals by
    its inverse. Their program drops the last row of that inverse for all differences
    but the newest, and gives the newest one entry of the row before, times the last
    integral.
    """
    K = len(nodes)
    k = np.arange(1, K + 1)
    factorials = np.array([math.factorial(j) for j in k])
    A = np.linalg.inv(np.asarray(nodes)[:, None] ** (k - 1) / factorials)
    phi = integrals(e, K)
    if not program:
        return phi @ A
    return np.append(phi[:-1] @ A[:-1, :-1], phi[-1] * A[max(K - 2, 0), -1])


def by_the_paper(order, nfe, prediction, program=False):
    """UniPC with the weights above, as a table."""
    path = predictions.points(VP, bj.grids.log_snr(nfe, VP, END))
    data = prediction == "data"
    m = lambda p: p.x1 if data else p.eps

    def recursion(predict, x):
        past = [predict(path[0], x)]
        for i, (s, t) in enumerate(pairwise(path)):
            h = t.lam - s.lam
            e, c = (-h, t.alpha) if data else (h, t.sigma)
            carried = t.sigma / s.sigma if data else t.alpha / s.alpha
            first = carried * x - (c * math.expm1(e)) * m(past[0])
            older = past[1 : min(order, nfe - i)]
            r = [(p.at.lam - s.lam) / h for p in older]
            D = [(m(p) - m(past[0])) / r_j for p, r_j in zip(older, r, strict=True)]
            x = first
            for w, D_j in zip(weights(r, e) if r else [], D, strict=True):
                x = x - (c * w) * D_j
            if i == nfe - 1:
                return x
            new = predict(t, x)
            x = first
            all_weights = weights([*r, 1.0], e, program)
            for w, D_j in zip(all_weights, [*D, m(new) - m(past[0])], strict=True):
                x = x - (c * w) * D_j
            past = [new, *past][:order]
        return x

    return predictions.run(VP, recursion, last=path[-1], denoise=False)


@pytest.mark.parametrize("prediction", ["data", "noise"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_varying_coefficients_are_the_papers(order, prediction):
    got = unipc(VP, nfe=8, order=order, variant="vary_coeff", prediction=prediction)
    same(got, by_the_paper(order, 8, prediction))


def test_lower_orders_reduce_to_known_methods():
    options = {"nfe": 6, "variant": "vary_coeff"}
    ddim = bj.solvers.ddim(VP, nfe=6, grid="log_snr")
    same(unipc(VP, order=1, corrector=False, **options), ddim)
    # The integral of the line through two values is 2M's "taylor".
    taylor = dpm_solver_pp_2m(VP, nfe=6, variant="taylor")
    same(unipc(VP, order=2, corrector=False, **options), taylor)
    # B cancels wherever the weights are solved for: only the limits 1/2 differ.
    for prediction in ("data", "noise"):
        one, two, three = (
            unipc(VP, nfe=6, order=3, variant=v, prediction=prediction)
            for v in ("bh1", "bh2", "vary_coeff")
        )
        assert not np.allclose(bj.canonical(one)[1], bj.canonical(three)[1])
        assert not np.allclose(bj.canonical(two)[1], bj.canonical(three)[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "order"),
    [
        ({"order": 1, "corrector": False}, 1),
        ({"order": 1}, 2),
        ({"order": 2, "corrector": False}, 2),
        ({"order": 2}, 3),
        ({"order": 2, "prediction": "noise"}, 3),
        ({"order": 3, "corrector": False}, 3),
        ({"order": 3}, 3),
    ],
)
def test_measured_orders(options, order):
    def build(n):
        return unipc(VP, nfe=n, variant="vary_coeff", end=END, **options)

    verdict = bj.certify(build, schedule=VP, nfe=(192, 384, 768))
    # The first steps, of lower order, leave order 3 a mixture of errors.
    assert order - 0.25 < verdict.measured < order + 0.6


@pytest.mark.parametrize("name", ["A068", "A069"])
def test_the_program_differs_by_its_corrector_alone(name):
    """Its recorded runs, to rounding, with its weights; they are of first order."""
    entry = next(e for e in GOLDEN["entries"] if e["id"] == name)
    mixture = Mixture(*(np.array(GOLDEN["field"][key]) for key in ("w", "mu", "s")))
    order, want = entry["params"]["order"], np.array(entry["x_final"])
    x0 = np.array(GOLDEN["initial_points"][entry["x_init"]])
    faulty = by_the_paper(order, 8, "data", program=True)
    got = run(field(VP, mixture), faulty, x0)
    assert np.abs(got - want).max() < 1e-12 * np.abs(want).max()
    build = lambda n: by_the_paper(order, n, "data", program=True)
    assert bj.certify(build, schedule=VP, nfe=(16, 32)).measured < 1.3

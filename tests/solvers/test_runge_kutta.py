"""Runge-Kutta tables: orders on a closed-form flow, golden end points, errors."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import quick_are
from oracles import GAUSSIAN, Mixture, field, gaussian_flow

import bespoke_jax as bj
from bespoke_jax.reference.paths import rms
from bespoke_jax.solvers import TABLEAUX, tableau

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden.json").read_text())
SCHEDULE = bj.schedules.VP()
END = 1 - 1e-3


@pytest.mark.parametrize("name", quick_are(("midpoint", "rk4"), TABLEAUX))
def test_measured_order_is_the_claimed_one(name):
    u = field(SCHEDULE, GAUSSIAN)
    x0 = jax.random.normal(jax.random.key(0), (32, 2))
    exact = gaussian_flow(SCHEDULE, GAUSSIAN, x0, 0.0, END)
    steps = [40, 80, 160]

    def error(n):
        solver = bj.solvers.TABLE[name].constructor(steps=n, end=END)
        return float(jnp.mean(rms(bj.sample(u, solver, x0) - exact)))

    errors = [error(n) for n in steps]
    slope = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(slope - bj.solvers.TABLE[name].order) < 0.2, (slope, errors)


# torchdiffeq's rk4 is the 3/8 rule, another method.
FLOW_MATCHING = [
    entry
    for entry in GOLDEN["entries"]
    if entry["program"].startswith("facebookresearch/flow_matching ODESolver (")
    and entry["params"]["method"] != "rk4"
]
NAMES = {"euler": "euler", "midpoint": "midpoint", "heun2": "heun", "heun3": "heun3"}


@pytest.mark.parametrize("entry", FLOW_MATCHING, ids=lambda e: e["id"])
def test_agrees_with_flow_matching(entry):
    data = GOLDEN["field"]
    mixture = Mixture(*(np.array(data[key]) for key in ("w", "mu", "s")))
    u = field(bj.schedules.CondOT(), mixture)
    constructor = bj.solvers.TABLE[NAMES[entry["params"]["method"]]].constructor
    times = np.array(entry["nodes"])
    solver = constructor(steps=len(times) - 1, grid=times, end=times[-1])
    assert solver.nfe == entry["params"]["nfe_counted"]
    got = bj.sample(u, solver, jnp.array(GOLDEN["initial_points"][entry["x_init"]]))
    np.testing.assert_allclose(got, np.array(entry["x_final"]), rtol=1e-8, atol=1e-10)


def test_three_eighths_rule_agrees_with_torchdiffeq():
    rule = tableau(
        [[1 / 3], [-1 / 3, 1], [1, -1, 1]], [1 / 8, 3 / 8, 3 / 8, 1 / 8], order=4
    )
    data = GOLDEN["field"]
    mixture = Mixture(*(np.array(data[key]) for key in ("w", "mu", "s")))
    u = field(bj.schedules.CondOT(), mixture)
    entries = [e for e in GOLDEN["entries"] if e["id"] in ("A267", "A269")]
    assert len(entries) == 2
    for entry in entries:
        times = np.array(entry["nodes"])
        solver = bj.solvers.runge_kutta(
            rule, steps=len(times) - 1, grid=times, end=times[-1]
        )
        got = bj.sample(u, solver, jnp.array(GOLDEN["initial_points"][entry["x_init"]]))
        np.testing.assert_allclose(
            got, np.array(entry["x_final"]), rtol=1e-8, atol=1e-10
        )


def test_windows_are_the_methods_own():
    for name, (wx, wu) in {
        "euler": (1, 1), "midpoint": (2, 1), "heun": (2, 2), "rk4": (4, 4)
    }.items():  # fmt: skip
        solver = bj.solvers.construct(name, 16)
        assert (solver.p.shape[1], solver.q.shape[1]) == (wx, wu), name


def test_inconsistent_tableaux_are_refused():
    with pytest.raises(ValueError, match="sum b = 1"):
        tableau([[1 / 2]], [0, 0.9], 2)
    with pytest.raises(ValueError, match=r"b\.c = 1/2"):
        tableau([[1 / 3]], [0, 1], 2)
    with pytest.raises(ValueError, match=r"b\.A\.c = 1/6"):
        tableau([[1 / 2], [0, 1]], [1 / 6, 2 / 3, 1 / 6], 3)
    with pytest.raises(ValueError, match="rows of a of lengths"):
        tableau([[1 / 2, 0]], [0, 1], 2)


@pytest.mark.parametrize("name", TABLEAUX)
def test_nfe_and_steps_are_the_same_budget(name):
    constructor, stages = getattr(bj.solvers, name), TABLEAUX[name].stages
    by_nfe = constructor(nfe=3 * stages + stages - 1, end=END)  # a remainder is unused
    for one, two in zip(by_nfe, constructor(steps=3, end=END), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (
        constructor.__name__ == name and "Arguments and errors" in constructor.__doc__
    )


def test_construct_spends_at_most_nfe_and_explains_itself():
    assert bj.solvers.construct("rk4", 10).nfe == 8
    with pytest.raises(ValueError, match="nearest: midpoint"):
        bj.solvers.construct("midpiont", 8)
    with pytest.raises(ValueError, match="4 evaluations a step"):
        bj.solvers.construct("rk4", 3)
    with pytest.raises(ValueError, match="steps must be a whole number"):
        bj.solvers.euler(steps=0)
    with pytest.raises(ValueError, match="4 evaluations per step; nfe = 3"):
        bj.solvers.rk4(nfe=3)
    with pytest.raises(ValueError, match="one of nfe=.* and steps=.*; got both"):
        bj.solvers.rk4(nfe=4, steps=1)
    with pytest.raises(ValueError, match="got neither"):
        bj.solvers.rk4()
    with pytest.raises(ValueError):
        bj.solvers.euler(steps=2, grid=[0.0, 0.5, 0.4])

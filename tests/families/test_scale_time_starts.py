"""Starts of a scale-time fit: solvers, values and maps; what of theta matters."""

import chex
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from scale_time_cases import (
    BASES,
    END,
    VP,
    count,
    ddim,
    dpm_solver_2,
    perturbed,
    rank,
    regauged,
    rich,
    same_solver,
    wave,
)

import bespoke_jax as bj
from bespoke_jax.families import from_path, from_schedules, scale_time

VP_TIMES = np.linspace(0.0, END, 5)
TWO_STAGES = ("midpoint", "ralston")
INVERTIBLE = ("euler", *TWO_STAGES)
X0 = jax.random.normal(jax.random.key(0), (3, 2))


@pytest.mark.parametrize("grid", ["uniform", "log_snr"])
def test_ddim_and_dpm_solver_2_are_in_the_family(grid):
    times = bj.grids.resolve(grid, 4, VP, end=END)
    for base, method in (("euler", ddim), ("midpoint", dpm_solver_2)):
        family, solver = scale_time(4, base=base, end=END), method(VP, times)
        same_solver(family.build(family.init(solver)), solver)


@pytest.mark.parametrize("base", INVERTIBLE)
def test_init_inverts_build(base):
    family = scale_time(4, base=base, end=END)
    solver = family.build(perturbed(family, 3))
    same_solver(family.build(family.init(solver)), solver, atol=1e-13)
    # As a card holds it: canonical numbers alone, in float32.
    a, b = bj.canonical(solver)
    lags = np.maximum(np.subtract.outer(np.arange(a.size), np.arange(a.size)), 0)
    dense = bj.Solver(
        solver.t, a, np.zeros((a.size, 0)),
        np.tril(np.take_along_axis(b, lags, axis=1)), solver.end,
    )  # fmt: skip
    same_solver(dense, solver, atol=1e-13)
    same_solver(family.build(family.init(dense)), solver)
    rounded = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), solver)
    same_solver(family.build(family.init(rounded)), solver, atol=1e-5)


@pytest.mark.parametrize("learn", ["time", "scale"])
@pytest.mark.parametrize("base", INVERTIBLE)
def test_without_redundancy_theta_itself_comes_back(base, learn):
    family = scale_time(4, base=base, learn=learn, end=END)
    theta = perturbed(family, 5)
    chex.assert_trees_all_close(family.init(family.build(theta)), theta, atol=1e-11)


@pytest.mark.parametrize("learn", ["both", "time", "scale"])
@pytest.mark.parametrize("base", BASES)
def test_the_base_solver_is_the_identity(base, learn):
    family = scale_time(3, base=base, learn=learn, end=END)
    solver = bj.solvers.TABLE[base].constructor(steps=3, end=END)
    chex.assert_trees_all_close(family.init(solver), family.init(), atol=1e-12)


@pytest.mark.parametrize("base", BASES)
def test_init_inverts_values(base):
    family = scale_time(3, base=base, end=END)
    theta = perturbed(family, 4)
    chex.assert_trees_all_close(family.init(family.values(theta)), theta, atol=1e-12)


def grid_euler(**options):
    return bj.solvers.euler(steps=4, end=END, **options)


def changed(solver, name, index, value):
    leaf = np.array(getattr(solver, name))
    leaf[index] = value
    return solver._replace(**{name: leaf})


def two_step(u, x):
    before = u(0.0, x)
    for t in (0.25, 0.5, 0.75):
        x = x + 0.25 * before
        now = u(t, x)
        x, before = x + 0.1 * before, now
    return x + 0.25 * before


MIDPOINT = bj.solvers.midpoint(steps=2, end=END)


@pytest.mark.parametrize(
    ("arguments", "solver", "words"),
    [
        ({"base": "euler"}, grid_euler()._replace(end=np.float64(1.0)), "ends at 0.99"),
        ({"base": "euler"}, bj.solvers.euler(steps=3, end=END), "4 evaluations"),
        ({"base": "euler"}, bj.trace(two_step, end=END), "one-step family; row 1"),
        ({"base": "euler"}, changed(grid_euler(), "q", 2, -0.1), "B > 0 .* step 2"),
        ({"base": "euler"}, changed(grid_euler(), "t", 2, 0.2), "t.* must be positive"),
        ({"base": "euler"}, changed(grid_euler(), "t", 0, 0.1), "starts at 0.0, the "),
        ({"base": "midpoint"}, changed(MIDPOINT, "q", (0, 0), -1.0), "Q > 0 .* step 0"),
        ({"base": "midpoint"}, changed(MIDPOINT, "q", (3, 0), 0.0), "E > 0 .* step 1"),
        ({"base": "midpoint"}, changed(MIDPOINT, "p", (3, 1), -1.0), "C > 0 .* step 1"),
        (
            {"base": "euler", "learn": "time"},
            ddim(VP, VP_TIMES),
            "keeps s = 1 and s' = 0; this start needs s_dot",
        ),
        (
            {"base": "euler", "learn": "scale"},
            grid_euler(grid="quadratic"),
            r"keeps t = start \+ .* this start needs t",
        ),
        ({"base": "heun"}, MIDPOINT, "only from its own base solver"),
        ({"base": "euler"}, 3, "a start is None"),
        ({"base": "euler"}, {"r": 1, "tdot": 2}, "are named"),
        ({"base": "euler"}, {"s": np.ones(3)}, "shape"),
        ({"base": "euler"}, {"t_dot": np.full(4, np.inf)}, "finite; at r = 0"),
        ({"base": "euler"}, {"t_dot": -np.ones(4)}, "t_dot must be positive"),
    ],
)  # fmt: skip
def test_a_start_outside_the_family_is_explained(arguments, solver, words):
    steps = 4 if arguments["base"] == "euler" else 2
    family = scale_time(steps, end=END, **arguments)
    with pytest.raises(ValueError, match=words):
        family.init(solver)


@pytest.mark.parametrize("base", ["euler", "midpoint"])
def test_effective_numbers_do_not_depend_on_the_gauge(base):
    family = scale_time(4, base=base, end=END)
    theta = perturbed(family, 6)
    other = regauged(family, base, theta, 4)
    s, moved = family.values(theta)["s"], family.values(other)["s"]
    assert float(jnp.abs(s - moved).max()) > 0.1
    effective = jax.jit(family.effective)
    chex.assert_trees_all_close(effective(theta), effective(other), atol=1e-12)
    same_solver(family.build(theta), family.build(other), atol=1e-12)
    chex.assert_trees_all_close(
        *(bj.sample(wave, family.build(t), X0) for t in (theta, other)), atol=1e-12
    )


def test_effective_numbers_are_those_of_the_formulas():
    h = 1 / 4
    v = lambda family, theta: [
        np.asarray(family.values(theta)[name]) for name in ("t_dot", "s", "s_dot")
    ]
    family = scale_time(4, base="euler")
    theta = perturbed(family, 7)
    (t_dot, s, s_dot), got = v(family, theta), family.effective(theta)
    chex.assert_trees_all_close(
        {name: got[name] for name in "AB"},
        {"A": (s[:-1] + h * s_dot) / s[1:], "B": h * t_dot * s[:-1] / s[1:]},
        atol=1e-13,
    )
    family = scale_time(4)
    theta = perturbed(family, 8)
    (t_dot, s, s_dot), got = v(family, theta), family.effective(theta)
    s_i, s_half, s_next = s[:-1:2], s[1::2], s[2::2]
    want = {
        "P": (s_i + h / 2 * s_dot[::2]) / s_half,
        "Q": h / 2 * s_i * t_dot[::2] / s_half,
        "C": s_i / s_next,
        "D": h * s_dot[1::2] / s_next,
        "E": h * t_dot[1::2] * s_half / s_next,
    }
    chex.assert_trees_all_close({k: got[k] for k in want}, want, atol=1e-12)
    assert list(got) == ["t", *"PQCDE"]


@pytest.mark.parametrize("base", [*TWO_STAGES, "heun", "rk4"])
def test_effective_numbers_make_the_step(base):
    """x_{i+1} rebuilt from them alone equals the step, on a nonlinear field."""
    family = scale_time(2, base=base, end=END)
    theta = perturbed(family, 9)
    e = {k: np.asarray(value) for k, value in family.effective(theta).items()}
    x = X0
    for i in range(2):
        if base == "rk4":
            us, z = [], x
            for k in range(4):
                us.append(wave(e["t"][i, k], z))
                z = e["a"][i, k] * x + sum(
                    w * u for w, u in zip(e["b"][i, k], us, strict=False)
                )
            x = z
        else:
            w = e["P"][i] * x + e["Q"][i] * wave(e["t"][i, 0], x)
            x = e["C"][i] * x + e["D"][i] * w + e["E"][i] * wave(e["t"][i, 1], w)
    got = bj.sample(wave, family.build(theta), X0)
    chex.assert_trees_all_close(got, x, atol=1e-11)


@pytest.mark.parametrize(("base", "per_step"), [("euler", 3), ("midpoint", 7)])
def test_the_number_of_numbers_that_matter(base, per_step):
    """3n - 1 of 4n - 1 and 7n - 1 of 8n - 1, in `effective` and in the samples."""
    n = 4
    family = scale_time(n, base=base)
    theta, unravel = jax.flatten_util.ravel_pytree(perturbed(family, 10))
    x0 = 2 * jax.random.normal(jax.random.key(2), (60, 1))

    def both(flat):
        theta = unravel(flat)
        return family.effective(theta), bj.sample(rich, family.build(theta), x0)

    by_number, by_sample = jax.jit(jax.jacfwd(both))(theta)
    assert theta.size == count(family)
    assert rank(jax.tree.leaves(by_number)) == per_step * n - 1
    assert rank([by_sample]) == per_step * n - 1


@pytest.mark.parametrize("base", BASES)
def test_from_path_takes_values_and_rates_at_the_nodes(base):
    family = scale_time(3, base=base, end=END)
    time = lambda r: END * r / (r + 5 * (1 - r))
    scale = lambda r: r + 5 * (1 - r)
    v = family.values(from_path(family, time, scale))
    r = np.asarray(v["r"])
    seen = r[: v["t_dot"].size]
    want = {
        "r": r,
        "t": END * r / (5 - 4 * r),
        "t_dot": END * 5 / (5 - 4 * seen) ** 2,
        "s": (5 - 4 * r) / 5,
        "s_dot": np.full(seen.size, -4 / 5),
    }
    chex.assert_trees_all_close(v, want, atol=1e-13)


def test_from_path_explains_what_it_cannot_take():
    family = scale_time(3, learn="time", end=END)
    time = lambda r: END * r**2 * (3 - 2 * r) * 0.9 + END * 0.1 * r
    theta = from_path(family, time)
    chex.assert_trees_all_close(
        family.values(theta)["t"], time(family.values(theta)["r"]), atol=1e-13
    )
    with pytest.raises(ValueError, match="s = 1"):
        from_path(family, time, jnp.exp)
    with pytest.raises(ValueError, match="t_dot must be positive; at r = 0 "):
        from_path(family, lambda r: END * r**2)
    with pytest.raises(ValueError, match="end = 0.99"):
        from_path(family, lambda r: r)
    with pytest.raises(ValueError, match="use end < 1"):
        from_schedules(scale_time(3, base="rk4"), VP, bj.schedules.Cosine())
    with pytest.raises(ValueError, match="expected a scale-time family; got other"):
        other = family._replace(name="other", values=lambda theta: theta)
        from_path(other, time)


@pytest.mark.slow
@pytest.mark.parametrize("as_theta", [False, True])
def test_fit_begins_at_the_given_start(as_theta):
    family, solver = scale_time(4, base="euler", end=END), ddim(VP, VP_TIMES)
    field = oracles.field(VP, oracles.GAUSSIAN)
    paths = oracles.gaussian_paths(VP, oracles.GAUSSIAN, 6, END, knots=33)
    fitted = bj.fit(
        family, field, paths, key=jax.random.key(0), loss=bj.losses.lte,
        start=family.init(solver) if as_theta else solver,
        iterations=1, batch_size=2, validation=0.2, test=0.5, progress=False,
    )  # fmt: skip
    off = bj.sample(field, solver, paths.x0[3:]) - paths.x1[3:]
    assert fitted.start_rmse == pytest.approx(float(jnp.mean(bj.paths.rms(off))))

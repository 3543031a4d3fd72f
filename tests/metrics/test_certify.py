"""Certificates: their exact solutions are exact, and they see what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

import bespoke_jax as bj
from bespoke_jax import card, solvers
from bespoke_jax.cli import main
from bespoke_jax.families import scale_time
from bespoke_jax.fields.analytic import Mixture
from bespoke_jax.metrics.problems import end_point, run

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden.json").read_text())
SCHEDULE, END = bj.schedules.VP(), 1 - 1e-3
SHORT = (48, 96, 192)


def test_end_point_of_a_mixture_is_the_golden_one():
    mixture = Mixture(*(np.array(GOLDEN["field"][key]) for key in ("w", "mu", "s")))
    x1 = end_point(mixture, SCHEDULE, GOLDEN["initial_points"]["I00"], END)
    np.testing.assert_allclose(
        x1, GOLDEN["exact_solutions"]["E000"], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("schedule", [SCHEDULE, bj.schedules.CondOT()])
def test_end_point_of_equal_modes_is_the_gaussian_closed_form(schedule):
    mu, x0 = np.array([[0.5, -0.3]]), np.array([[1.0, -2.0], [0.3, 0.1]])
    one = Mixture(np.ones(1), mu, np.array([0.4]))
    two = Mixture(np.full(2, 0.5), np.tile(mu, (2, 1)), np.full(2, 0.4))
    want = end_point(one, schedule, x0, END)
    np.testing.assert_allclose(end_point(two, schedule, x0, END), want, atol=1e-11)


def test_run_is_the_canonical_form():
    solver = solvers.unipc(SCHEDULE, nfe=6)
    a, b = bj.canonical(solver)
    x0, u = np.array([0.7, -1.0]), np.random.default_rng(0).normal(size=(6, 2))
    states = run(lambda i, x: u[i], solver, x0)
    np.testing.assert_allclose(states[1:], a[:, None] * x0 + b @ u, atol=1e-12)


def test_row_sums_of_a_velocity_method_are_its_times():
    times, weights, off = bj.row_sums(solvers.heun(steps=3, end=END))
    np.testing.assert_allclose(times, END * np.array([1, 1, 2, 2, 3, 3]) / 3)
    np.testing.assert_allclose(weights, 1)
    np.testing.assert_allclose(off, 0, atol=1e-15)
    _, _, off = bj.row_sums(solvers.ddim(SCHEDULE, nfe=3))
    assert np.abs(off).max() > 0.01


def test_wrong_coefficient_lowers_the_order_and_is_inconsistent():
    good = lambda n: solvers.midpoint(steps=n // 2, end=END)

    def wrong(n):
        solver = good(n)
        return solver._replace(
            q=np.where(np.arange(n)[:, None] % 2, 1.02, 1) * solver.q
        )

    def lame(n):  # its stages stay where the step began
        solver = good(n)
        return solver._replace(q=solver.q * (np.arange(n)[:, None] % 2))

    verdict = bj.certify(good, nfe=SHORT, claimed=2)
    assert verdict.text == f"claimed 2, measured {verdict.measured:.1f}"
    assert max(verdict.consistency) < 1e-12
    verdict = bj.certify(wrong, nfe=SHORT, claimed=2)
    assert verdict.measured < 0.5 and verdict.consistency[-1] > 1e-3
    assert "claimed 2, measured" in verdict.text
    assert "does not converge" in verdict.text and "inconsistent" in verdict.text
    verdict = bj.certify(lame, nfe=SHORT, claimed=2)
    assert abs(verdict.measured - 1) < 0.25
    np.testing.assert_allclose(verdict.consistency, END / np.array(SHORT))
    assert verdict.text.endswith(": below its claim")


def test_wrong_nfe_is_said():
    verdict = bj.certify(lambda n: solvers.euler(steps=n + 1, end=END), nfe=SHORT)
    assert verdict.nfe == (49, 97, 193)
    assert "asked for 48, 96, 192 evaluations, spends 49, 97, 193" in verdict.text


def test_verdict_says_why_beside_the_claim():
    verdict = bj.certify("dpm_solver_3m", nfe=SHORT)
    assert verdict.text.startswith("claimed 3, measured 2.")
    assert "the program halves the curvature" in verdict.text
    verdict = bj.certify("rk4", nfe=SHORT, claimed=3)
    assert verdict.text.endswith(": above its claim")


def test_each_method_is_judged_by_what_it_keeps():
    assert bj.certify("heun", nfe=SHORT).check == "constant velocity"
    verdict = bj.certify("dpm_solver_2m", nfe=SHORT)
    assert verdict.check == "single data point"
    assert max(verdict.consistency) < 1e-12


@pytest.mark.slow
def test_family_at_identity_is_its_base():
    family = lambda n: scale_time(n, base="midpoint", end=END)
    verdict = bj.certify(family, nfe=(24, 48, 96), claimed=2)
    want = bj.certify("midpoint", nfe=SHORT)
    assert verdict.asked == (24, 48, 96) and verdict.nfe == want.nfe
    np.testing.assert_allclose(verdict.errors, want.errors, rtol=1e-6)
    assert verdict.text == want.text


@pytest.mark.slow
def test_learned_family_becomes_consistent_as_n_grows():
    """A path of other t and s keeps neither field at finite n, both in the limit."""

    def build(n):
        family = scale_time(n, base="midpoint")
        r = np.asarray(family.values(family.init())["r"])
        start = {"s": 1 + r**2, "s_dot": 2 * r[:-1]}
        return family.build(family.init(start))

    verdict = bj.certify(build, schedule=bj.schedules.CondOT(), nfe=(8, 16, 32))
    ratio = np.array(verdict.consistency[:-1]) / verdict.consistency[1:]
    assert np.all(ratio > 3) and "inconsistent" not in verdict.text


def test_refusals():
    with pytest.raises(ValueError, match="nearest: .*midpoint"):
        bj.certify("midpont")
    with pytest.raises(ValueError, match="two or more increasing lengths"):
        bj.certify("euler", nfe=(96,))
    with pytest.raises(ValueError, match="it returned int"):
        bj.certify(lambda n: n)
    with pytest.raises(ValueError, match="end at the same time"):
        bj.certify(lambda n: solvers.euler(steps=n, end=1 - 1 / n))


def test_command_for_a_name(capsys):
    assert main(["certify", "ddim"]) == 0
    out = capsys.readouterr().out
    assert "ddim: claimed 1, measured 1.0" in out and "single data point" in out


def test_command_for_a_card_says_that_it_has_no_order(tmp_path, capsys):
    path = str(card.save(tmp_path / "a.json", solvers.ddim(SCHEDULE, nfe=5)))
    assert main(["certify", path]) == 0
    out = capsys.readouterr().out
    assert "5 NFE; a single NFE has no order" in out
    assert "constant velocity" in out and "off by 0 " not in out
    solver = solvers.ddim(SCHEDULE, nfe=5)
    card.save(path, solver, schedule=SCHEDULE)
    assert main(["certify", path]) == 0
    assert "single data point" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ddmi"], "no solver or card 'ddmi'; the nearest are ddim"),
        (["none.json"], "no file none.json"),
        (["ddim", "--schedule", "Vp"], "no schedule 'Vp'; the nearest is VP"),
        (["ddim", "--end", "1"], "--end must lie in (0, 1); got 1"),
    ],
)
def test_command_refuses_in_one_line(words, says, capsys):
    assert main(["certify", *words]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1

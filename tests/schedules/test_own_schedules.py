"""A user's own schedule: what `Path` adds, what `check` finds, wrappers, records."""

from dataclasses import dataclass, make_dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from card_cases import one_card
from marks import slowly
from oracles import GAUSSIAN, field, gaussian_flow

import bespoke_jax as bj
from bespoke_jax import schedules
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.schedules import (
    VP,
    CondOT,
    Cosine,
    DiscreteVP,
    LogSNR,
    Scaled,
    Shifted,
)

TIMES = np.concatenate([np.linspace(0, 1 - 1e-4, 97), np.geomspace(1e-6, 0.5, 9)])
STEP = DiscreteVP((0.9, 0.5, 0.1, 0.02))


@dataclass(frozen=True)
class Linear(schedules.Path):
    """CondOT, from alpha and sigma alone."""

    def alpha(self, t):
        return t

    def sigma(self, t):
        return 1 - t


@dataclass(frozen=True)
class OwnVP(schedules.Path):
    beta_min: float = 0.1
    beta_max: float = 20.0

    def _decay(self, t):
        u = 1 - t
        return u * (self.beta_min + 0.5 * (self.beta_max - self.beta_min) * u)

    def alpha(self, t):
        return jnp.exp(-self._decay(t) / 2)

    def sigma(self, t):
        return jnp.sqrt(-jnp.expm1(-self._decay(t)))


@dataclass(frozen=True)
class Exploding(schedules.Path):
    def alpha(self, t):
        return 1.0

    def sigma(self, t):
        return 80 * (0.002 / 80) ** t


class Bare:
    """The six methods of the protocol and nothing else, in jax.numpy."""

    def __call__(self, t):
        return jnp.sin(jnp.pi / 2 * t), jnp.sin(jnp.pi / 2 * (1 - t))

    def rates(self, t):
        alpha, sigma = self(t)
        return jnp.pi / 2 * sigma, -jnp.pi / 2 * alpha

    def nsr(self, t):
        alpha, sigma = self(t)
        return sigma / alpha

    def log_snr(self, t):
        return -jnp.log(self.nsr(t))

    def time_at_nsr(self, value):
        return jnp.arctan2(jnp.ones_like(value), value) / (jnp.pi / 2)

    def time_at_log_snr(self, value):
        return self.time_at_nsr(jnp.exp(-value))


def gamma(t):
    return 13.3 - 18.3 * t


OWN = [Linear(), OwnVP(), Exploding(), Bare(), LogSNR(gamma)]
EQUAL = [(Linear(), CondOT()), (OwnVP(), VP()), (Bare(), Cosine())]
WRAPPED = [
    *(wrap(s, 3.0) for wrap in (Scaled, Shifted) for s in (*OWN, VP(), STEP)),
    Scaled(Shifted(Bare(), 2.0), 0.5),
]
name = lambda s: f"{type(s).__name__}"


@pytest.mark.parametrize(
    "schedule",
    [
        *(Linear(), LogSNR(gamma), Scaled(Linear(), 3.0), Shifted(STEP, 3.0)),
        *map(slowly, [OwnVP(), Exploding(), Bare(), *WRAPPED, STEP, VP()]),
    ],
    ids=name,
)
def test_own_and_wrapped_schedules_pass_the_check(schedule):
    assert schedules.check(schedule) is schedule
    assert isinstance(schedule, Schedule)


@pytest.mark.parametrize(
    ("own", "ours"), [EQUAL[0], slowly(*EQUAL[1]), EQUAL[2]], ids=name
)
def test_alpha_and_sigma_give_what_the_closed_forms_give(own, ours):
    host = schedules.on_host
    for method in ("__call__", "rates", "nsr", "log_snr"):
        got = host(getattr(own, method), TIMES)
        want = getattr(ours, method)(TIMES)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    for method in ("nsr", "log_snr"):
        value, inverse = getattr(ours, method)(TIMES), f"time_at_{method}"
        back = host(getattr(own, inverse), value)
        np.testing.assert_allclose(back, TIMES, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [Linear(), OwnVP(), Exploding(), LogSNR(gamma)])
def test_numerical_inverses_on_the_host_in_jit_and_in_reverse(schedule):
    t = np.array([[0.0, 1e-5, 0.02, 0.3], [0.5, 0.77, 0.99, 1.0]])
    for method in ("nsr", "log_snr"):
        forward = getattr(schedule, method)
        inverse = getattr(schedule, f"time_at_{method}")
        back = inverse(forward(t))
        assert isinstance(back, np.ndarray) and back.dtype == np.float64
        np.testing.assert_allclose(back, t, rtol=0, atol=1e-14)
        single = jax.jit(lambda t, f=forward, i=inverse: i(f(t)))(jnp.float32(t))
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, t, rtol=2e-6, atol=2e-7)
        inner = jnp.array([0.02, 0.3, 0.8])
        slopes = jax.vmap(jax.grad(lambda v, i=inverse: i(v)))(forward(inner))
        want = jax.vmap(jax.grad(lambda t, f=forward: f(t)))(inner)
        np.testing.assert_allclose(slopes, 1 / want, rtol=1e-9)
        second = jax.vmap(jax.grad(jax.grad(lambda v, i=inverse: i(v))))
        curve = jax.vmap(jax.grad(jax.grad(lambda t, f=forward: f(t))))(inner)
        np.testing.assert_allclose(
            second(forward(inner)), -curve / want**3, rtol=1e-6, atol=1e-9
        )
        assert np.isnan(inverse(np.nan))


@pytest.mark.slow
def test_the_host_is_float64_also_without_x64_and_inside_a_trace():
    with jax.enable_x64(False):
        for schedule in (Linear(), Scaled(OwnVP(), 2.0)):
            got = schedule.time_at_log_snr(schedule.log_snr(0.3))
            assert got.dtype == np.float64 and abs(got - 0.3) < 1e-15

        @jax.jit
        def build(x):
            solver = bj.solvers.dpm_solver_pp_2m(OwnVP(), nfe=3, end=0.9)
            return x * solver.t[1]

        want = bj.solvers.dpm_solver_pp_2m(VP(), nfe=3, end=0.9).t[1]
        assert abs(float(build(jnp.float32(1))) / want - 1) < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize(("own", "ours"), EQUAL, ids=name)
def test_every_solver_is_that_of_the_equal_closed_path(own, ours):
    for solver in bj.solvers.TABLE:
        one, two = (
            bj.solvers.construct(solver, 6, schedule=s, end=0.99) for s in (own, ours)
        )
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-7, err_msg=solver)


@pytest.mark.slow
def test_fields_of_an_own_schedule_end_where_the_exact_flow_does():
    x0 = jax.random.normal(jax.random.key(0), (16, 2))
    for own in (Bare(), OwnVP(), LogSNR(gamma)):
        u, end = field(own, GAUSSIAN), 0.99
        solver = bj.solvers.unipc(own, nfe=40, end=end)
        want = gaussian_flow(own, GAUSSIAN, x0, 0.0, end)
        np.testing.assert_allclose(bj.sample(u, solver, x0), want, atol=1e-3)


def test_change_schedule_takes_a_bare_schedule():
    x0 = jax.random.normal(jax.random.key(0), (16, 2))
    u = bj.fields.change_schedule(field(Bare(), GAUSSIAN), Bare(), CondOT())
    got = bj.sample(u, bj.solvers.rk4(steps=60, end=0.9), x0)
    want = gaussian_flow(CondOT(), GAUSSIAN, x0, 0.0, 0.9)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.slow
def test_tailor_takes_a_bare_schedule():
    u = field(Bare(), GAUSSIAN)
    x0 = jax.random.normal(jax.random.key(0), (32, 2))
    fitted = bj.tailor(
        u, x0, nfe=3, schedule=Bare(), end=0.99, key=jax.random.key(1),
        evaluations=20_000, progress=False,
    )  # fmt: skip
    assert fitted.rmse <= fitted.start_rmse < 0.1


# The check names the first disagreement.


class Wrong(Bare):
    """Cosine with one method replaced."""

    def __init__(self, **methods):
        self.__dict__.update(methods)

    def __call__(self, t):
        return self.__dict__.get("values", super().__call__)(t)


def piecewise(t):
    return 1.0 if t < 0.5 else 2.0


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (object(), "a schedule is an object with the methods __call__, rates"),
        (VP, "it is a class"),
        (Wrong(values=lambda t: t), "must return a pair"),
        (Wrong(values=lambda t: (-t, 1 - t)), "alpha at t = .* expected a number >= 0"),
        (Wrong(nsr=lambda t: t), r"nsr at t = 0.0062\d+: expected 101"),
        (Wrong(log_snr=lambda t: 2 * Cosine().log_snr(t)), "log_snr at t = 0.006"),
        (Wrong(rates=lambda t: (1 + 0 * t, -1 + 0 * t)), r"rates \(d alpha / dt\)"),
        (
            Wrong(rates=lambda t: (Bare().rates(t)[0], -Bare().rates(t)[1])),
            r"rates \(d sigma / dt\) at t = .*: expected -0.01\d+, got 0.01",
        ),
        (Wrong(time_at_nsr=lambda r: 1 / (1 + r)), "time_at_nsr at value = 101"),
        (
            Wrong(time_at_log_snr=lambda l: jax.nn.sigmoid(2 * l)),
            "time_at_log_snr at value = -4.6",
        ),
        (Wrong(rates=lambda t: np.zeros(3)), "rates"),
        (
            Wrong(rates=lambda t: (np.pi / 2 * np.cos(np.pi / 2 * t), 0 * t)),
            "rates",
        ),
        (
            Wrong(
                nsr=lambda t: np.tan(np.pi / 2 * (1 - np.asarray(t))),
            ),
            "nsr fails under jax.jit.*write it with jax.numpy",
        ),
        (
            Wrong(
                nsr=lambda t: Bare().nsr(t) * (1.1 if isinstance(t, jax.Array) else 1)
            ),
            "nsr under jax.jit at t = .*: expected .*, got",
        ),
        (Wrong(nsr=piecewise), "nsr fails on a float64 NumPy array"),
    ],
)
def test_check_names_the_first_disagreement(schedule, words):
    with pytest.raises(ValueError, match=words) as error:
        schedules.check(schedule)
    assert "\n" not in str(error.value)


def test_check_finds_a_ratio_that_rises():
    @dataclass(frozen=True)
    class Rising(schedules.Path):
        def alpha(self, t):
            return 1 - t

        def sigma(self, t):
            return t

    words = "Rising: nsr at t = 0.006.*falls with t, got 0.0062.* then 0.016"
    with pytest.raises(ValueError, match=words):
        schedules.check(Rising())


# Wrappers and functions.


def test_shifted_is_the_paths_own_at_another_time():
    u = np.linspace(0, 1, 11)
    for s in (0.5, 1.0, 3.0):
        shifted = Shifted(CondOT(), s)
        # Esser et al., 2024, equation 23, in their time u.
        np.testing.assert_allclose(
            shifted(1 - u)[1], s * u / (1 + (s - 1) * u), rtol=1e-14
        )
        np.testing.assert_allclose(
            shifted.nsr(1 - u), Scaled(CondOT(), s).nsr(1 - u), rtol=1e-14
        )
    joints = Shifted(STEP, 3.0).joints
    np.testing.assert_allclose(
        Shifted(STEP, 3.0)(joints)[0], np.sqrt([0.1, 0.5, 0.9]), rtol=1e-14
    )
    np.testing.assert_array_equal(Scaled(STEP, 3.0).joints, STEP.joints)
    assert schedules.joints(VP()).size == 0
    with pytest.raises(
        ValueError, match="Shifted: shift must be a finite number above 0"
    ):
        Shifted(VP(), 0.0)


def test_log_snr_is_vdm():
    t = np.linspace(0, 1, 21)
    s = LogSNR(gamma)
    sigmoid = 1 / (1 + np.exp(-gamma(t)))
    np.testing.assert_allclose(s(t)[1] ** 2, sigmoid, rtol=1e-13)
    np.testing.assert_allclose(s(t)[0] ** 2, 1 - sigmoid, rtol=1e-9)
    np.testing.assert_allclose(s.time_at_log_snr(-gamma(t) / 2), t, atol=1e-15)
    with pytest.raises(ValueError, match=r"pass lambda t: gamma\(1 - t\)"):
        LogSNR(lambda t: -gamma(t))


@pytest.mark.slow
def test_the_log_snr_of_vp_gives_vp_back():
    vp = LogSNR(lambda t: -2 * VP().log_snr(jnp.asarray(t)))
    np.testing.assert_allclose(vp(0.3), VP()(0.3), rtol=1e-12)
    np.testing.assert_allclose(vp.rates(0.3), VP().rates(0.3), rtol=1e-12)


# Records.


@pytest.mark.parametrize(
    "schedule",
    [
        VP(1, 20.0),
        CondOT(),
        STEP,
        Scaled(VP()),
        Scaled(Shifted(STEP, 2), np.float64(3)),
    ],
    ids=name,
)
def test_cards_give_an_equal_schedule_back(schedule, tmp_path):
    solver = bj.solvers.euler(steps=2)
    bj.card.save(tmp_path / "a.json", solver, schedule=schedule)
    record = one_card(tmp_path / "a.json").schedule
    assert record is not None and schedules.from_dict(record) == schedule
    bj.card.save(tmp_path / "b.json", solver, schedule=record)
    assert one_card(tmp_path / "b.json").schedule == record


def test_own_schedules_are_documented_but_not_rebuilt(tmp_path):
    card = tmp_path / "a.json"
    for own in (Bare(), OwnVP(0.2), LogSNR(gamma), Scaled(Bare(), 2.0)):
        bj.card.save(card, bj.solvers.euler(steps=1), schedule=own)
        record: Any = one_card(card).schedule
        with pytest.raises(ValueError, match="no schedule of the library|function"):
            schedules.from_dict(record)
    assert schedules.to_dict(OwnVP(0.2)) == {
        "name": "OwnVP", "beta_min": 0.2, "beta_max": 20.0,
    }  # fmt: skip
    twin = make_dataclass("VP", [("beta_min", float)], frozen=True)(0.1)
    assert schedules.to_dict(twin)["name"] != "VP"  # must not be read as ours


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, '"name"'),
        ({"name": "VPP"}, "no schedule of the library is named 'VPP'; known: VP"),
        ({"name": "VP", "beta": 1.0}, r"fields \(beta_min, beta_max\); got \(beta\)"),
        ({"name": "VP", "beta_min": -1.0}, "beta_min must be a finite number above 0"),
        ({"name": "Scaled", "base": {"name": "x"}}, "named 'x'"),
    ],
)
def test_bad_records_say_what_was_expected(record, words):
    with pytest.raises(ValueError, match=words):
        schedules.from_dict(record)


@pytest.mark.parametrize("value", [VP, "VP", 3, replace])
def test_only_schedule_objects_have_records(value):
    with pytest.raises(ValueError, match="must be a schedule object such as"):
        schedules.to_dict(value)

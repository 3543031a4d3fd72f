"""docs/bring_your_model.md is run: each code base's lines, on a stub of its signature.

The sample must be that of the exact flow map of the stub's Gaussian data, and is not
where the sign, the direction or the scale of time is wrong.
"""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from convention_stubs import SPREAD, STUBS
from marks import quick_are

import bespoke_jax as bj

PAGE = (Path(__file__).parents[2] / "docs" / "bring_your_model.md").read_text()
SETUP, *_ = re.findall(r"```python setup\n(.*?)```", PAGE, re.S)
SECTIONS = {
    title: re.findall(r"```python\n(.*?)```", body, re.S)
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M)
}
each_section = pytest.mark.parametrize("title", SECTIONS)


def run(title):
    """The names after the lines of a section have run in those of its stub."""
    space = {"end": 1.0, "schedule": bj.schedules.CondOT(), **STUBS[title]()}
    for code in (SETUP, *SECTIONS[title]):
        exec(compile(code, f"bring_your_model.md: {title}", "exec"), space)
    space.setdefault("x0", space["noise"])
    return space


def solve(field, space, end):
    """Many steps, none of whose evaluations is on the other side of a joint."""
    schedule = space["schedule"]
    if isinstance(schedule, bj.schedules.DiscreteVP):
        nfe = round(end * len(schedule.alphas_bar))
        solver = bj.solvers.dpm_solver_pp_2m(schedule, nfe=nfe, end=end, grid="uniform")
    elif isinstance(schedule, bj.schedules.EDM):  # six decades of sigma
        solver = bj.solvers.rk4(steps=400, end=end)
    else:
        solver = bj.solvers.midpoint(steps=800, end=end)
    return bj.sample(field, solver, space["x0"], c=space["c"])


def exact(space, end):
    """The flow map of N(mean, SPREAD^2), in parts of time where the mean changes."""
    x, start, schedule = space["x0"], 0.0, space["schedule"]
    means = space["means"]
    for until, mean in means if isinstance(means, list) else [(end, means)]:
        until = min(until, end)
        mean = jnp.reshape(mean, (-1,) + (1,) * (x.ndim - 1))
        (a, s), (b, r) = schedule(start), schedule(until)
        ratio = np.sqrt((b * SPREAD) ** 2 + r**2) / np.sqrt((a * SPREAD) ** 2 + s**2)
        x, start = b * mean + ratio * (x - a * mean), until
    return x


def ends(space):
    """The end, and half way, where every mistake shows.

    On a variance-exploding path the flow of one Gaussian from 0 to 1 is the same with
    its time reversed.
    """
    vp = type(space["schedule"]) is bj.schedules.VP
    end = min(space["end"], 0.99) if vp else space["end"]
    if isinstance(space["schedule"], bj.schedules.DiscreteVP):
        return 0.5, end
    return end / 2, end


def error(field, space, end):
    got, want = solve(field, space, end), exact(space, end)
    return float(jnp.abs(got - want).max() / jnp.maximum(1, jnp.abs(want).max()))


def test_every_section_has_a_stub():
    assert list(SECTIONS) == list(STUBS)
    assert all(SECTIONS.values())


@pytest.mark.parametrize("title", quick_are([*SECTIONS][:3], SECTIONS))
def test_the_lines_give_the_exact_sample(title):
    space = run(title)
    for end in ends(space):
        assert error(space["field"], space, end) < 2e-4


@pytest.mark.slow
@each_section
def test_a_wrong_sign_direction_or_scale_of_time_is_seen(title):
    space = run(title)
    field = bj.fields.as_field(space["field"])
    call = lambda t, x, c: field(t, x) if c is None else field(t, x, c)
    wrong = {
        "sign": lambda t, x, c=None: -call(t, x, c),
        "direction": lambda t, x, c=None: call(space["end"] - t, x, c),
        "scale": lambda t, x, c=None: call(0.9 * t, x, c),
    }
    half, _ = ends(space)
    for name, other in wrong.items():
        assert not error(other, space, half) < 3e-3, name


@each_section
def test_no_warning_where_the_lines_are_right(title, recwarn):
    space = run(title)
    x0, c, schedule = space["x0"], space["c"], space["schedule"]
    bj.fields.warn_direction(space["field"], x0, c, 0.0, space["end"])
    bj.fields.warn_spread(x0, schedule, 0.0)
    assert not [w for w in recwarn if w.category is UserWarning]

"""Budgets and intervals on the command line, and numbers that fill an interval."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from bespoke_jax.cli.ranges import budgets, interval, spread


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("8", (8,)),
        ("4,6,8", (4, 6, 8)),
        ("8, 4,6", (4, 6, 8)),
        ("3-20", tuple(range(3, 21))),
        ("3-3", (3,)),
        ("12,3-5, 8", (3, 4, 5, 8, 12)),
        ("1-1000", tuple(range(1, 1001))),
    ],
)
def test_budgets(text, want):
    assert budgets("nfe", text) == want


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "--nfe must be a number, a list such as 4,6,8 or a range such as 3-20"),
        ("x", "got 'x'"),
        ("4,,8", "must be a number, a list"),
        ("1.5", "must be a number, a list"),
        ("3-", "must be a number, a list"),
        ("3 4", "must be a number, a list"),
        ("3--5", "must be a number, a list"),
        ("1" * 30, "must be a number, a list"),
        ("0", "--nfe must lie in 1 .. 1000; got 0"),
        ("-4", "--nfe must lie in 1 .. 1000; got -4"),
        ("0-4", "--nfe must lie in 1 .. 1000; got 0-4"),
        ("1-1000000000000", "--nfe must lie in 1 .. 1000; got 1-1000000000000"),
        ("20-3", "the range 20-3 falls; write 3-20"),
        ("3-6,5", "--nfe has 5 twice; got '3-6,5'"),
    ],
)
def test_other_budgets_are_told(text, says):
    with pytest.raises(ValueError) as error:
        budgets("nfe", text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("0-6", (0, 6)),
        ("1.5-7.5", (1.5, 7.5)),
        (" 1 - 7 ", (1, 7)),
        ("-1-2", (-1, 2)),
        ("-2--1", (-2, -1)),
        ("1e-3-2e1", (1e-3, 20)),
        (".5-1.", (0.5, 1)),
    ],
)
def test_intervals(text, want):
    assert interval("guidance", text) == want


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("3", "--guidance must be a range such as 0-6; got '3'"),
        ("", "must be a range such as 0-6; got ''"),
        ("0-x", "must be a range"),
        ("0-6-9", "must be a range"),
        ("0,6", "must be a range"),
        ("0-nan", "must be a range"),
        ("0-1e999", "must be a range"),
        ("6-0", "--guidance: the range must rise; got 6 to 0"),
        ("6-6", "the range must rise"),
    ],
)
def test_other_intervals_are_told(text, says):
    with pytest.raises((ValueError, TypeCheckError)) as error:
        interval("guidance", text)
    if error.type is ValueError:
        assert says in str(error.value)


def test_the_ends_come_first():
    """So that a run that affords fewer paths covers the range as well."""
    np.testing.assert_array_equal(spread(1.5, 7.5, 2), [1.5, 7.5])
    np.testing.assert_array_equal(spread(0.0, 6.0, 9)[:2], [0.0, 6.0])
    assert [len(spread(0.0, 6.0, count)) for count in (1, 2, 3, 9)] == [1, 2, 3, 9]


@pytest.mark.parametrize("length", [13, 34, 89])
def test_every_stretch_fills_the_interval(length):
    """Any F_k successive angles leave no gap above 1.9 / F_k (three-gap theorem)."""
    points = spread(-1.0, 3.0, 400)
    assert points.min() >= -1 and points.max() <= 3
    for start in range(2, 400 - length, 7):
        cosine = 1 - 2 * (points[start : start + length] + 1) / 4
        part = np.sort(np.arccos(cosine) / np.pi)
        gaps = np.diff(part, append=part[0] + 1)  # on the circle
        assert gaps.max() < 1.9 / length
        assert 0.5 / length < gaps.min()


def test_the_ends_have_the_share_of_the_arcsine_law():
    """A tenth of the interval at an end has arccos(0.8) / pi of the numbers."""
    points = spread(0.0, 1.0, 1000)
    share = np.arccos(0.8) / np.pi
    assert abs(np.mean(points < 0.1) - share) < 2e-3
    assert abs(np.mean(points > 0.9) - share) < 2e-3

"""Checks of arguments: what passes, and the sentence for what does not."""

import jax.numpy as jnp
import numpy as np
import pytest

from bespoke_jax.core import checks


@pytest.mark.parametrize("good", [1, np.int64(3), np.array(2), jnp.array(2)])
def test_whole_numbers_pass(good):
    assert checks.whole("n", good) == int(good)


@pytest.mark.parametrize(
    "bad", [0, -1, 1.0, True, np.True_, None, "3", [1], 1j, np.ones(3), float("nan")]
)
def test_what_is_no_whole_number_is_told(bad):
    with pytest.raises(ValueError, match="n must be a whole number of at least 1; got"):
        checks.whole("n", bad)


def test_bounds_are_part_of_the_sentence():
    with pytest.raises(
        ValueError, match=r"k must be a whole number in 2 \.\. 4; got 5"
    ):
        checks.whole("k", 5, least=2, most=4)
    with pytest.raises(ValueError, match="a must be a number in .0, 1.; got"):
        checks.real("a", 0.0, above=0, most=1)


@pytest.mark.parametrize("good", [1, 0.5, np.float32(0.5), jnp.array(0.25), np.int8(1)])
def test_numbers_pass(good):
    assert checks.real("a", good, above=0, most=1) == float(good)


@pytest.mark.parametrize(
    "bad", [None, "1", True, 1j, [1.0], np.ones(2), float("nan"), float("inf"), {}]
)
def test_what_is_no_number_is_told(bad):
    with pytest.raises(ValueError, match="a must be a finite number; got"):
        checks.real("a", bad)


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'midpoint'"):
        checks.known("base", "midpiont", ["euler", "midpoint"])
    for bad in (None, 3, ["euler"]):
        with pytest.raises(
            ValueError, match="base must be one of euler, midpoint; got"
        ):
            checks.known("base", bad, ["euler", "midpoint"])


def test_a_value_is_shown_in_few_words():
    assert checks.shown(np.ones((2, 3))) == "an array of shape (2, 3), float64"
    assert checks.shown(len) == "the function len"
    assert checks.shown(int) == "the class int"
    assert checks.shown("x") == "'x'"
    assert checks.shown(object()) == "an object of type object"

"""Names for constructors that are made by a function."""

from collections.abc import Callable
from typing import TypeVar

from bespoke_jax.core.solver import Solver

F = TypeVar("F", bound=Callable[..., Solver])


def named(constructor: F, name: str, doc: str) -> F:
    """The constructor under its public name, with its own docstring.

    Methods that differ in an order or a prediction only share one signature, which is
    written once in a function that returns the constructor.
    """
    constructor.__name__ = constructor.__qualname__ = name
    constructor.__doc__ = doc
    return constructor

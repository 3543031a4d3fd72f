"""Which cases of a test run in the full suite alone."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def slowly(*values: Any):
    """One case that the quick selection leaves out."""
    return pytest.param(*values, marks=pytest.mark.slow)


def quick_are(quick: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """All cases, of which the quick selection runs those in `quick`."""
    return [case if case in quick else slowly(case) for case in cases]

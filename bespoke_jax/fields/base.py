"""What fields share beside the call: functions of time, coefficients, names."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

import jax
from jax.tree_util import Partial

from bespoke_jax._types import Schedule, State
from bespoke_jax.core.calls import per_sample


def as_callable(f: Any, name: str) -> Callable[..., Any]:
    """`as_field` for functions of time: any callable that is no pytree is static."""
    if not callable(f):
        raise ValueError(f"{name} must be callable; got {type(f).__name__}")
    return Partial(f) if jax.tree_util.all_leaves([f]) else f


def coefficients(schedule: Schedule, t: Any, x: State) -> tuple[Any, Any, Any, Any]:
    """(alpha, sigma, alpha', sigma') at times `(batch,)`, shaped to multiply x."""
    alpha, sigma, d_alpha, d_sigma = (
        per_sample(a, x) for a in (*schedule(t), *schedule.rates(t))
    )
    return alpha, sigma, d_alpha, d_sigma


def check_name(what: str, name: Any, known: Iterable[str], note: str = "") -> None:
    """ValueError with the nearest known names when `name` is not one of them."""
    known = list(known)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(
            f"{what} must be one of {known}, got {name!r}{hint}"
            + (f". {note}" if note else "")
        )

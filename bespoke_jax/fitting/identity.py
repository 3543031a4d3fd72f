"""The identity of a run: its inputs, and numbers that are robust to rounding.

Noises and conditioning are inputs and are compared bit by bit. Ground truth and
velocities are results: solved again, or on other devices, they differ in their last
digits, so a few numbers of theirs are kept as arrays, which `Checkpoints` compares with
a tolerance.
"""

from typing import Any

import jax
import numpy as np

from bespoke_jax.core.batches import rows
from bespoke_jax.core.calls import velocity
from bespoke_jax.core.fingerprint import fingerprint
from bespoke_jax.core.hosts import to_host
from bespoke_jax.core.norms import rms
from bespoke_jax.core.solver import Solver, canonical
from bespoke_jax.reference.paths import Paths

PROBED = 4
"""Samples whose numbers are kept."""
PROBE_COST = 2
"""Network evaluations that `of_field` spends."""


def of_paths(name: str, paths: Paths) -> dict[str, Any]:
    """The noises by their content, the end points by numbers of the first samples."""
    first = rows((paths.x0, paths.x1), slice(0, PROBED))
    return {
        f"{name} noises": fingerprint((paths.x0, paths.c)),
        f"{name} ends": _spread(*first),
    }


def of_noises(name: str, given: Paths | tuple | float | int) -> dict[str, Any]:
    """The content of paths or of (x0, c); a fraction as it is."""
    if isinstance(given, Paths):
        return of_paths(name, given)
    return {name: fingerprint(given) if isinstance(given, tuple) else given}


def of_field(field: Any, paths: Paths, start: float, end: float) -> np.ndarray:
    """Numbers of the velocity at two inner times on the first sample."""
    x, c = rows((paths.x0, paths.c), slice(0, 1))
    times = (start + share * (end - start) for share in (0.25, 0.75))
    return np.concatenate([_spread(x, velocity(field, t, x, c)) for t in times])


def of_solver(solver: Solver) -> np.ndarray:
    """Its times, and of each row the weight of x_0 and the sizes of the others."""
    a, b = canonical(solver)
    return np.concatenate([np.asarray(solver.t, float), a, np.abs(b).sum(1)])


def of_key(key: jax.Array) -> str:
    """The kind of a random key and its numbers."""
    numbers = np.ravel(jax.random.key_data(key)).tolist()
    return " ".join(map(str, (jax.random.key_impl(key), *numbers)))


def _spread(x: Any, y: Any) -> np.ndarray:
    """|y - x| and |y + x| of each sample: far from 0, and unlike for y and -y."""
    return np.concatenate(to_host((rms(y - x), rms(y + x)))).astype(np.float64)

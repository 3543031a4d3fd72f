"""Ground-truth paths as data: end points, and dense states for interpolation.

Between two knots r < s, h = s - r, with states x_r, x_s and slopes v_r, v_s, the path
is the cubic Hermite polynomial in tau = (t - r) / h

    x(t) = (2 tau^3 - 3 tau^2 + 1) x_r + (tau^3 - 2 tau^2 + tau) h v_r
         + (3 tau^2 - 2 tau^3) x_s + (tau^3 - tau^2) h v_s,

which is returned with its derivative. `reference.solve` chooses the knots so that the
error stays below the tolerance of the solve, and reports the error it measured.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from bespoke_jax.core import checks
from bespoke_jax.core.batches import Index, rows
from bespoke_jax.core.norms import rms as rms
from bespoke_jax.core.types import Arr, Conditioning, Scalar


@jax.tree_util.register_static
class Control(NamedTuple):
    """The step-size control of a solve. Static: not a part of compiled code's data."""

    rtol: float
    atol: float
    method: str = "tsit5"
    max_steps: int = 4096
    """Accepted and rejected steps allowed per sample."""


class Stats(NamedTuple):
    """What the ground truth cost, in network evaluations per sample and in all."""

    nfe_mean: float
    nfe_max: int
    evaluations: int
    """All evaluations spent: checks of the field, solves, slopes, certificate."""
    seconds: float


@jax.tree_util.register_static
class Certificate(NamedTuple):
    """How far another solve ends from the same samples.

    It is another method at ten times tighter tolerance. For a multistep solve it is the
    same solver with a third fewer steps, whose error dominates the difference
    (`reference.levels`).

    Differences are per-sample RMS norms, the largest over the checked samples. The
    check runs in float64 where the field computes in it (`dtype`). Where it cannot,
    and the difference is no larger than what rounding does, `resolved` is False and
    `endpoint` and `states` are upper bounds: what the arithmetic of the field resolves.
    """

    samples: int
    rtol: float | None
    """Tolerances of the check; None for one of fixed steps."""
    atol: float | None
    endpoint: float
    """At the end of the interval."""
    states: float
    """At all times that were asked for, the end included."""
    interpolation: float | None
    """Of the Hermite polynomial, half-way between knots; None without dense states."""
    method: str = ""
    """Method of the check."""
    dtype: str = ""
    """Precision of the check."""
    resolved: bool = True

    @property
    def text(self) -> str:
        """The certificate as one sentence."""
        at = "" if self.rtol is None else f" at rtol = {self.rtol:.2g}"
        by = f"{self.method}{at} in {self.dtype}"
        if self.resolved:
            return f"{self.samples} end points are within {self.endpoint:.2g} of {by}"
        return (
            f"{self.samples} end points agree with {by} below what the field resolves, "
            f"about {self.endpoint:.2g}; their error is not measurable"
        )


class Paths(NamedTuple):
    """Exact solutions of one field: start, end and states of each sample in between.

    Dense paths have knots, states and slopes, and can be read at any time (`at`). Paths
    that were solved for at given times have knots and states; paths of end points have
    neither. What is absent is None: those entries are `Any`, as it depends on the call
    of `reference.solve`, and not on types, whether they are there.
    """

    x0: jax.Array
    """(N, *shape) states at t = start."""
    x1: jax.Array
    """(N, *shape) states at t = end."""
    c: Conditioning
    """Conditioning with leading axis N, or None."""
    knots: Any = None
    """(K + 1,) increasing times from start to end, shared by all samples."""
    states: Any = None
    """(N, K + 1, *shape) states at the knots."""
    slopes: Any = None
    """(N, K + 1, *shape) velocities at the knots."""
    end: Scalar = 1.0
    """() end of the interval."""
    stats: Any = None
    """`Stats`, or None where the paths were not solved for here."""
    certificate: Any = None
    """`Certificate`, or None likewise."""
    start: Scalar = 0.0
    """() start of the interval."""
    control: Any = None
    """`Control`, or None likewise."""

    @property
    def size(self) -> int:
        """Number of paths N."""
        return self.x0.shape[0]


def check_paths(paths: object, name: str = "paths") -> None:
    """Check that an argument is `Paths` with end points of one shape.

    Raises:
        ValueError: it is not.
    """
    paths = checks.instance(name, paths, Paths, "the Paths of reference.solve")
    x0, x1 = (checks.samples(f"{name}.{x}", getattr(paths, x)) for x in ("x0", "x1"))
    if x0.shape != x1.shape:
        raise ValueError(
            f"{name}.x0 and x1 must have one shape; got {x0.shape} and {x1.shape}."
        )


def require_dense(paths: Paths, reader: str) -> None:
    """Raise unless the paths can be read between their knots.

    Args:
        paths: any paths.
        reader: what wants to read them, the subject of the message.

    Raises:
        ValueError: naming what is missing and how to solve for it.
    """
    check_paths(paths)
    if paths.slopes is not None:
        return
    has = "end points" if paths.states is None else "states at given times"
    raise ValueError(
        f"{reader} needs dense paths, with states and velocities at knots; these have "
        f"{has} alone. Solve with reference.solve(..., dense=True) and without times=."
    )


def take(paths: Paths, index: Index, like: Arr | None = None) -> Paths:
    """The paths at `index` (an integer array or a slice), knots and end as they are.

    They are placed on devices as the whole is, or as `like` is.

    Raises:
        ValueError: an index of another kind, or (unless traced) out of range.
    """
    check_paths(paths)
    if not isinstance(index, Tracer):
        _check_index(paths.size, index)
    names = ("x0", "x1", "c", "states", "slopes")
    parts = rows([getattr(paths, name) for name in names], index, like)
    return paths._replace(**dict(zip(names, parts, strict=True)))


def _check_index(size: int, index: Index) -> None:
    try:  # JAX clips what NumPy refuses
        picked = np.arange(size)[index]
    except (IndexError, TypeError, ValueError):
        picked = None
    if picked is None or picked.ndim != 1:
        raise ValueError(
            f"index must be a slice or an array of integers below {size}; got "
            f"{checks.shown(index)}."
        )


def split(paths: Paths, held_out: float) -> tuple[Paths, Paths]:
    """(first, last) parts, the last holding the fraction `held_out` of the paths.

    Raises:
        ValueError: a fraction outside (0, 1), or too few paths for two parts.
    """
    check_paths(paths)
    held_out = checks.real("held_out", held_out, above=0, below=1)
    last = max(1, round(paths.size * held_out))
    if last >= paths.size:
        raise ValueError(f"{paths.size} paths cannot be split; solve for more.")
    first = paths.size - last
    return take(paths, slice(None, first)), take(paths, slice(first, None))


def at(paths: Paths, t: Arr | float) -> tuple[jax.Array, jax.Array]:
    """States and velocities of every path at times t, by cubic Hermite interpolation.

    Args:
        paths: N dense paths.
        t: () or (m,) times in [start, end].

    Returns:
        x and its time derivative, each (N, *shape) or (m, N, *shape).

    Raises:
        ValueError: paths without dense states.
    """
    require_dense(paths, "paths.at")
    if np.ndim(checks.numbers("t", t)) > 1:
        raise ValueError(f"t must be one time or (m,) times; got {checks.shown(t)}.")
    t = jnp.asarray(t, paths.states.dtype)
    knots = jnp.asarray(paths.knots, t.dtype)
    at_knots = (jnp.asarray(leaf, t.dtype) for leaf in (paths.states, paths.slopes))
    return _interpolated(knots, *at_knots, t)


@jax.jit
def _interpolated(
    knots: jax.Array, states: jax.Array, slopes: jax.Array, t: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The states and velocities of `at`, with times that are arguments."""

    def one(t):
        j = jnp.clip(jnp.searchsorted(knots, t, side="right") - 1, 0, knots.size - 2)
        h = knots[j + 1] - knots[j]
        tau = (t - knots[j]) / h
        x_r, x_s = states[:, j], states[:, j + 1]
        v_r, v_s = slopes[:, j], slopes[:, j + 1]
        # Written around x_r: the difference x_s - x_r is small and exact.
        w = tau**2 * (3 - 2 * tau)
        x = x_r + w * (x_s - x_r)
        x = x + h * tau * (1 - tau) * ((1 - tau) * v_r - tau * v_s)
        v = 6 * tau * (1 - tau) * (x_s - x_r) / h
        v = v + (1 - tau) * (1 - 3 * tau) * v_r + tau * (3 * tau - 2) * v_s
        return x, v

    return one(t) if t.ndim == 0 else jax.vmap(one)(t)

"""Learned time grids: a training-free solver with nothing but its times free.

The inner times are broken off a stick, increasing for every z,

    t_{i+1} = t_i + (end - t_i) sigmoid(z_i)
            = start + (end - start) (1 - prod_{k <= i} sigmoid(-z_k)).

A solver's numbers come from a recursion that is traced on the host, so JAX calls the
host for the table and for its slopes by the times, central differences in float64.

Others learn such times with their own objectives: Align Your Steps (arXiv 2404.14507),
GITS (arXiv 2405.11326), LD3 (arXiv 2405.15506). Here it is any endpoint loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from bespoke_jax import grids
from bespoke_jax.core.checks import instance, shown
from bespoke_jax.core.fingerprint import fingerprint
from bespoke_jax.core.protocols import Values
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.core.types import Arr, Theta
from bespoke_jax.families.family import Family, Steps
from bespoke_jax.families.scale_time.nodes import tolerance

CLOSEST = 1e-9  # below it float64 no longer resolves the slopes


def timesteps(
    constructor: Callable[[np.ndarray], Solver],
    grid: object,
    *,
    name: str | None = None,
) -> Family:
    """The family of one training-free solver on all grids of n steps from start to end.

        timesteps(lambda t: solvers.dpm_solver_pp_2m(schedule, nfe=8, grid=t), grid)

    theta: "t" (n - 1,), the z_i above. `init()` is the start grid, `init(times)`
    another with the same ends. `values` and `effective` are the times; `build` has
    first derivatives only.

    Args:
        constructor: times (n + 1,) -> Solver, called on the host with NumPy float64;
            pure, without JAX. Methods with inner stages take their outer times.
            Compared by identity, so keep one lambda rather than writing it again.
        grid: the n + 1 times to begin with, increasing from start to end, which stay;
            0 <= start < end <= 1 and n is at least 2.
        name: of the family; None tells solvers apart by a hash of the start table.

    Returns:
        The same `Family` for the same arguments, so that compiled code is reused; it
        has no one-step maps. Times within 1e-9 make a table of NaN, and `fit` stops.

    Raises:
        ValueError: a grid out of range, or a constructor that refuses it or whose
            windows depend on the times (under `jit` a JAX error that quotes this one).
            `init`: times with other ends, or a solver: its grid cannot be read off.
    """
    if not callable(constructor) or isinstance(constructor, type):
        raise ValueError(
            "constructor must be a function of times that returns a Solver; got "
            f"{shown(constructor)}."
        )
    if name is not None:
        instance("name", name, str, "text or None")
    return _family(constructor, tuple(grids.explicit(grid).tolist()), name)


@lru_cache
def _family(constructor, grid: tuple[float, ...], name: str | None) -> Family:
    times = np.array(grid)
    if times.size < 3 or np.diff(times).min() <= CLOSEST:
        raise ValueError(
            "timesteps needs 3 or more times that lie more than "
            f"{CLOSEST} apart; got {list(grid)}."
        )
    start = _host(_called(constructor, times))
    name = name or f"timesteps({times.size - 1} steps, {fingerprint(start)[:6]})"
    spec = _Spec(name, constructor, times, start)
    spec.slopes(times)  # complains now if the windows depend on the times
    return Family(
        name=name,
        init=partial(_init, spec),
        build=partial(_build, spec),
        steps=partial(_steps, spec),
        values=partial(_values, spec),
        effective=partial(_values, spec),
    )


def _called(constructor: Callable[[np.ndarray], Solver], times: np.ndarray) -> Solver:
    try:
        return constructor(times)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"the constructor of a timesteps family raised {type(error).__name__} for "
            f"{times.size} times: {error}"
        ) from error


def _host(solver: Solver) -> Solver:
    return Solver(*(np.asarray(leaf, np.float64) for leaf in validate(solver)))


# Compared by identity: its methods are then the same callback in every trace.
@dataclass(frozen=True, eq=False)
class _Spec:
    name: str
    constructor: Callable[[np.ndarray], Solver]
    grid: np.ndarray
    start: Solver

    def at(self, times: np.ndarray) -> Solver:
        """The table on other times."""
        table = _host(_called(self.constructor, times))
        got, want = ([leaf.shape for leaf in s] for s in (table, self.start))
        if got != want:
            raise ValueError(
                f"{self.name} needs tables of one form on all grids; t, a, p, q, end "
                f"have shapes {want} on the start grid, {got} on {times.tolist()}."
            )
        return table

    def slopes(self, times: np.ndarray) -> Solver:
        """Derivatives of the table by the inner times, along a new last axis."""
        gaps = np.diff(times)
        # Of a number over its gap, truncation is 1e-10 and rounding 1e-16 / 1e-5.
        steps = 1e-5 * np.minimum(gaps[:-1], gaps[1:])
        moves = steps[:, None] * np.eye(times.size)[1:-1]
        up, down = times + moves, times - moves
        stack = lambda *leaves: np.stack(leaves, -1)
        high, low = (jax.tree.map(stack, *map(self.at, side)) for side in (up, down))
        return jax.tree.map(lambda a, b: (a - b) / (up - down).sum(1), high, low)

    def numbers(self, logits: Arr) -> tuple[Solver, Solver]:
        """The callback: table and slopes, in the dtype of the logits."""
        logits = np.asarray(logits)
        with np.errstate(invalid="ignore"):
            times = _times(np, self.grid, logits.astype(np.float64))
        apart = np.diff(times).min() > CLOSEST  # False for NaN
        times, mark = (times, 1.0) if apart else (self.grid, np.nan)
        cast = lambda leaf: np.asarray(mark * leaf, logits.dtype)
        return jax.tree.map(cast, (self.at(times), self.slopes(times)))

    def call(self, logits: jax.Array) -> tuple[Solver, Solver]:
        """`numbers` from compiled code."""
        form = lambda *shape: jax.ShapeDtypeStruct(shape, logits.dtype)
        table = Solver._make(form(*leaf.shape) for leaf in self.start)
        slopes = Solver._make(form(*leaf.shape, logits.size) for leaf in self.start)
        return jax.pure_callback(
            self.numbers, (table, slopes), logits, vmap_method="sequential"
        )


def _times(xp: ModuleType, grid: np.ndarray, logits: Values) -> Values:
    """All n + 1 times, in NumPy or JAX."""
    start, end = float(grid[0]), float(grid[-1])
    inner = start - (end - start) * xp.expm1(-xp.cumsum(xp.logaddexp(0.0, logits)))
    return xp.pad(inner, 1, constant_values=(start, end))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _table(spec: _Spec, logits: jax.Array) -> Solver:
    return spec.call(logits)[0]


@_table.defjvp
def _table_jvp(
    spec: _Spec, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[Solver, Solver]:
    table, slopes = spec.call(*primals)
    _, moved = jax.jvp(partial(_times, jnp, spec.grid), primals, tangents)
    along = lambda slope: jnp.matmul(slope, moved[1:-1], precision="highest")
    return table, jax.tree.map(along, slopes)


def _build(spec: _Spec, theta: Theta) -> Solver:
    return _table(spec, jnp.asarray(theta["t"], jnp.result_type(float)))


def _values(spec: _Spec, theta: Theta) -> dict[str, jax.Array]:
    return {"t": _times(jnp, spec.grid, theta["t"])}


def _steps(spec: _Spec, theta: Theta) -> Steps:
    raise ValueError(
        f"{spec.name} has no one-step maps; fit it with losses.rmse, mse or psnr."
    )


def _init(spec: _Spec, start: object = None) -> dict[str, jax.Array]:
    if isinstance(start, Solver):
        raise ValueError(f"{spec.name} reads no grid off a solver; pass its times.")
    grid = spec.grid
    times = grid if start is None else grids.explicit(start)
    off = np.abs(times[[0, -1]] - grid[[0, -1]]).max()
    if times.size != grid.size or off > tolerance(times):
        raise ValueError(
            f"{spec.name} has {grid.size} times from {grid[0]} to {grid[-1]}; got "
            f"{times.size} from {times[0]} to {times[-1]}."
        )
    logits = np.log(np.diff(times)[:-1] / (times[-1] - times[1:-1]))
    return {"t": jnp.asarray(logits, jnp.result_type(float))}

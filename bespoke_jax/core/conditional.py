"""Solvers that depend on one number per sample, as data.

The number w (a guidance weight, say) lies in an interval, and every coefficient of the
canonical form of (S) is a function of it. The functions are stored by their values at
M Chebyshev points of the second kind,

    w_j = (low + high) / 2 - (high - low) / 2 cos(j pi / (M - 1)),   j = 0 .. M-1,

and read between them by the barycentric formula

    f(w) = sum_j c_j f(w_j) / (w - w_j)  /  sum_j c_j / (w - w_j),

c_j = (-1)^j, halved at both ends: the polynomial of degree M - 1 through the values,
without loss of digits. For an analytic f its error falls geometrically with M.

Reference: Berrut, Trefethen (2004), Barycentric Lagrange Interpolation, SIAM Review
46(3), equations 4.2 and 5.4.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, SupportsFloat

import numpy as np
from jaxtyping import Float

from bespoke_jax.core import checks
from bespoke_jax.core.solver import Solver, canonical, validate

if TYPE_CHECKING:  # reading a card does not import JAX
    from bespoke_jax.core.types import Arr

_EPS = float(np.finfo(np.float32).eps)


class Conditional(NamedTuple):
    """A solver for every w in [low, high]."""

    low: float
    high: float
    nodes: "Float[Arr, ' M']"
    """(M,) the w_j, increasing from `low` to `high`."""
    solvers: Solver
    """The solver at each node, in canonical form: a `Solver` whose leaves have a
    leading axis M, with p (M, n, 0) and q (M, n, n)."""

    @property
    def nfe(self) -> int:
        """Network evaluations of one solve, the same for every w."""
        return self.solvers.nfe

    def at(self, condition: SupportsFloat) -> Solver:
        """The solver for one w: that of a node, exactly, or interpolated in float64.

        Args:
            condition: w, in [low, high]; rounding of a float32 is forgiven.

        Returns:
            A solver with NumPy leaves of the dtype of `solvers`.

        Raises:
            ValueError: a w outside [low, high], or no number.
        """
        w = checks.real("condition", condition)
        slack = _EPS * max(abs(self.low), abs(self.high))
        if not self.low - slack <= w <= self.high + slack:
            raise ValueError(
                f"this solver was fitted for {_range(self)}; extrapolation is not "
                f"supported, got condition={w:g}."
            )
        t, a, p, q, end = (
            _between(np.asarray(self.nodes), np.asarray(leaf, np.float64), w)
            for leaf in self.solvers
        )
        # The polynomial may cross the bounds of time by its error.
        found = Solver(np.clip(t, 0, end), a, p, q, end)
        return validate(_cast(found, np.asarray(self.solvers.t).dtype))


def conditional(
    build: Callable[[float], Solver],
    low: SupportsFloat,
    high: SupportsFloat,
    *,
    tolerance: float | int = 1e-6,
    most: int = 33,
) -> Conditional:
    """Sample a function w -> solver until interpolation reproduces it.

    The number of nodes goes through 2, 3, 5, 9, 17, 33 (nested points); each is tried
    at the points that the next would add.

    Args:
        build: the solver of a w; of the same NFE and end for all, and smooth in w.
        low, high: the interval of w.
        tolerance: largest error of a number half-way between nodes, relative to the
            largest number of all tables. Solvers of float32 are not smooth below 1e-7.
        most: nodes at most.

    Returns:
        The fewest nodes that reach the tolerance, with leaves of the dtype of what
        `build` returns (float32, else float64).

    Raises:
        ValueError: an empty interval, an invalid solver of some w, NFE or ends that
            differ, or a tolerance that `most` nodes do not reach (with what they do).
    """
    if not callable(build):
        raise ValueError(
            f"build must be a function w -> Solver; got {checks.shown(build)}."
        )
    low, high = _interval(low, high)
    tolerance = checks.real("tolerance", tolerance, above=0)
    checks.whole("most", most, least=2)
    known: dict[float, Solver] = {}

    def table(w: float) -> Solver:
        if w not in known:
            known[w] = _canonical(build(w), w)
            budgets = {solver.nfe for solver in known.values()}
            if len(budgets) > 1:
                raise ValueError(
                    "build must return solvers of the same NFE for every condition; "
                    f"got {' and '.join(map(str, sorted(budgets)))}."
                )
        return known[w]

    count, reached = 2, np.inf
    while count <= most:
        nodes = chebyshev(low, high, count)
        tables = zip(*map(table, nodes.tolist()), strict=True)
        solvers = Solver._make(np.stack(leaves) for leaves in tables)
        found = check_conditional(Conditional(low, high, nodes, solvers))
        # A table that is odd about the middle passes two nodes and the one between.
        finer = chebyshev(low, high, max(2 * count - 1, 5)).tolist()
        reached = min(reached, _error(found, finer, [table(w) for w in finer]))
        if reached <= tolerance:
            return found
        count = 2 * count - 1
    raise ValueError(
        f"interpolation in the condition reaches a relative accuracy of {reached:.2g} "
        f"with at most {most} nodes, not tolerance={tolerance:g}; the solver must "
        "depend smoothly on it. Allow more nodes, a larger tolerance or a smaller "
        "range."
    )


def check_conditional(value: object) -> Conditional:
    """Check every number of a conditional solver and return it.

    Raises:
        ValueError: states the first problem found: an interval or nodes that are none,
            a node whose solver `validate` refuses or that is not in canonical form, or
            ends that differ.
    """
    if not isinstance(value, Conditional):
        raise ValueError(f"expected a Conditional; got {checks.shown(value)}.")
    low, high = _interval(value.low, value.high)
    nodes = np.asarray(checks.numbers("nodes", value.nodes), np.float64)
    if nodes.ndim != 1 or len(nodes) < 2:
        raise ValueError(f"nodes must be (M,) with M >= 2; got shape {nodes.shape}.")
    if not np.allclose(
        nodes, chebyshev(low, high, len(nodes)), rtol=1e-12, atol=1e-12 * (high - low)
    ):
        raise ValueError(
            f"nodes must be the {len(nodes)} Chebyshev points of [{low:g}, {high:g}], "
            "increasing."
        )
    _check_tables(value.solvers, nodes)
    return value


def chebyshev(low: float, high: float, count: int) -> np.ndarray:
    """(count,) Chebyshev points of the second kind of [low, high], increasing.

    Those of 2 count - 1 hold those of `count` to the last bit.
    """
    m = count - 1
    # sin is exactly odd, so that the points are symmetric (cos would not give them so).
    x = np.sin(np.pi * (2 * np.arange(count) - m) / (2 * m))
    nodes = (low + (high - low) / 2) + (high - low) / 2 * x
    nodes[[0, -1]] = low, high
    return nodes


def _interval(low: SupportsFloat, high: SupportsFloat) -> tuple[float, float]:
    ends = checks.real("low", low), checks.real("high", high)
    if not ends[0] < ends[1]:
        raise ValueError(f"low must be below high; got {ends[0]:g} and {ends[1]:g}.")
    return ends


def _between(nodes: np.ndarray, values: np.ndarray, w: float) -> np.ndarray:
    """The polynomial through (M, *shape) values at w."""
    w = float(np.clip(w, nodes[0], nodes[-1]))
    distance = w - nodes
    nearest = int(np.abs(distance).argmin())
    if abs(distance[nearest]) <= 1e-15 * np.abs(nodes).max():
        return np.asarray(values[nearest])
    c = np.where(np.arange(len(nodes)) % 2, -1.0, 1.0)
    c[[0, -1]] /= 2
    pull = c / distance
    # Differences to one value, so that what does not depend on w stays to the bit.
    with np.errstate(over="ignore", invalid="ignore"):  # `validate` speaks of those
        moved = np.tensordot(pull / pull.sum(), values - values[0], 1)
        return np.asarray(values[0] + moved)


def _canonical(solver: Solver, w: float) -> Solver:
    """The canonical form as a `Solver`: u_j is j - i columns back in row i."""
    try:
        a, b = canonical(solver)
    except ValueError as error:
        raise ValueError(f"the solver of condition {w:g}: {error}") from None
    n = solver.nfe
    q = np.stack([np.pad(b[i, i::-1], (0, n - 1 - i)) for i in range(n)])
    t, end = np.asarray(solver.t, np.float64), np.asarray(solver.end, np.float64)
    single = np.asarray(solver.t).dtype == np.float32
    rows = Solver(t, a, np.zeros((n, 0)), q, end)
    return _cast(rows, np.dtype(np.float32 if single else np.float64))


def _cast(solver: Solver, dtype: np.dtype) -> Solver:
    return Solver._make(np.asarray(leaf, dtype) for leaf in solver)


def _error(found: Conditional, ws: list[float], tables: list[Solver]) -> float:
    """The largest error of a number at ws, relative to the largest number."""
    errors, sizes = [], []
    for w, table in zip(ws, tables, strict=True):
        for got, want in zip(found.at(w), table, strict=True):
            errors.append(np.abs(np.subtract(got, want, dtype=float)).max(initial=0))
            sizes.append(np.abs(want).max(initial=0))
    return float(max(errors) / max(sizes))


def _check_tables(solvers: object, nodes: np.ndarray) -> None:
    if not isinstance(solvers, Solver):
        raise ValueError(f"solvers must be a Solver; got {checks.shown(solvers)}.")
    count = len(nodes)
    leaves = [
        np.asarray(checks.numbers(f"solvers.{name}", leaf))
        for name, leaf in zip(Solver._fields, solvers, strict=True)
    ]
    n = leaves[0].shape[-1] if leaves[0].ndim else 0
    want = [(count, n), (count, n), (count, n, 0), (count, n, n), (count,)]
    if [leaf.shape for leaf in leaves] != want:
        raise ValueError(
            f"a Conditional of {count} nodes needs solvers in canonical form, with t, "
            f"a ({count}, n), p ({count}, n, 0), q ({count}, n, n), end ({count},); "
            f"got {', '.join(str(leaf.shape) for leaf in leaves)}."
        )
    for k, w in enumerate(nodes.tolist()):
        try:
            validate(Solver._make(leaf[k] for leaf in leaves))
        except ValueError as error:
            raise ValueError(f"node {k} (condition {w:g}): {error}") from None
    ends = np.unique(leaves[-1]).tolist()
    if len(ends) > 1:
        raise ValueError(f"all nodes must end at the same time; got {ends}.")


def _range(solver: Conditional) -> str:
    return f"{solver.low:g} .. {solver.high:g}"

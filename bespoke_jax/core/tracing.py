"""From a paper's recursion to the rows of (S), by running it on coefficients.

A training-free solver is written in the notation of its paper, as a Python function of
`(u, x)`; `trace` runs that function once with symbols in place of arrays. Every call
of `u` becomes a row, so the NFE is counted rather than claimed. After `u(t, x)` the
symbol x *is* the state x_i, and later uses of it refer back to that state: the
recursion's own memory becomes the windows wx and wu. The same holds for a rescaled
iterate: after `u(t, alpha * y)` the symbol y is x_i / alpha.
"""

from collections.abc import Callable

import numpy as np

from bespoke_jax.core.checks import instance, real
from bespoke_jax.core.solver import Solver, validate
from bespoke_jax.core.types import Number

Row = dict[tuple[str, int], float]
"""Weights on ("x", i), the states x_i, and ("u", i), the velocities u_i."""


class Linear:
    """A linear combination of other symbols, or a state or velocity itself."""

    # NumPy scalars must leave `scalar * Linear` to __rmul__.
    __array_ufunc__ = None
    __slots__ = ("atom", "parts")

    def __init__(self, parts: list[tuple[float, "Linear"]], atom: Row | None = None):
        self.parts = parts
        self.atom = atom
        """What the symbol is once it was evaluated; then `parts` no longer matter."""

    def row(self) -> Row:
        """The weights on states and velocities, going back no further than needed."""
        rows: dict[int, Row] = {}
        # A symbol waits on a stack until its parts are known. Calls of itself, half a
        # million for a solver of 768 evaluations, would each be checked at run time.
        stack = [self]
        while stack:
            symbol = stack[-1]
            if symbol.atom is not None:
                rows[id(stack.pop())] = symbol.atom
                continue
            unknown = [part for _, part in symbol.parts if id(part) not in rows]
            if unknown:
                stack += unknown
                continue
            row: Row = {}
            for weight, part in symbol.parts:
                for key, value in rows[id(part)].items():
                    row[key] = row.get(key, 0.0) + weight * value
            rows[id(stack.pop())] = row
        return rows[id(self)]

    def __add__(self, other: object) -> "Linear":
        if isinstance(other, Linear):
            return Linear([(1.0, self), (1.0, other)])
        # sum() starts from the integer 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    __radd__ = __add__

    def __mul__(self, factor: "Linear | Number") -> "Linear":
        if isinstance(factor, Linear):
            raise ValueError("(S) is linear: a state times a state has no row.")
        return Linear([(float(factor), self)])

    __rmul__ = __mul__

    def __truediv__(self, divisor: Number) -> "Linear":
        return self * (1.0 / divisor)

    def __neg__(self) -> "Linear":
        return Linear([(-1.0, self)])

    def __sub__(self, other: "Linear") -> "Linear":
        if isinstance(other, Linear):
            return Linear([(1.0, self), (-1.0, other)])
        return self + (-other)


def trace(
    recursion: Callable[[Callable[[float, Linear], Linear], Linear], Linear],
    *,
    end: float,
) -> Solver:
    """Run `recursion(u, x) -> x` on symbols and return its table (S).

    Args:
        recursion: takes `u`, to be called as `u(t, x)` with a host time t, and the
            initial state; returns the sample. It may use +, -, and products with and
            quotients by numbers. Its first call of `u` must be at the initial state.
        end: the time of the sample, in (0, 1].

    Returns:
        The solver in float64 on the host, with the smallest windows that the
        recursion's own references need; `a` holds references to x_0 from beyond
        the x window.

    Raises:
        ValueError: no evaluation, a first evaluation away from x_0, a nonlinear
            operation, or times outside [0, end].
    """
    if not callable(recursion) or isinstance(recursion, type):
        raise ValueError(f"recursion must be a function (u, x) -> x; got {recursion!r}")
    end = real("end", end)
    times: list[float] = []
    rows: list[Row] = []
    start = Linear([], {("x", 0): 1.0})

    def u(t: float, x: Linear) -> Linear:
        i, row = len(times), x.row()
        if i == 0:
            away = {k: v for k, v in row.items() if k != ("x", 0) and v != 0.0}
            if away or abs(row.get(("x", 0), 0.0) - 1.0) > 1e-12:
                raise ValueError("the first evaluation must be at the initial state.")
        else:
            rows.append(row)
        times.append(float(t))
        x.atom = {("x", i): 1.0}
        if len(x.parts) == 1 and x.parts[0][1].atom is None:
            scale, y = x.parts[0]
            y.atom = {("x", i): 1.0 / scale}
        return Linear([], {("u", i): 1.0})

    try:
        sample = recursion(u, start)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            "a recursion may use +, -, and products with and quotients by numbers; "
            f"this one raised {type(error).__name__}: {error}"
        ) from error
    instance("what the recursion returns", sample, Linear, "a state made of x and u")
    if not times:
        raise ValueError("the recursion never evaluated u: nothing to trace.")
    return validate(_table(times, [*rows, sample.row()], end))


def _table(times: list[float], rows: list[Row], end: float) -> Solver:
    n = len(times)
    lags = {"x": 0, "u": 0}
    for i, row in enumerate(rows):
        for (kind, j), weight in row.items():
            # x_0 does not widen the window: `a` reaches it from any row.
            if weight != 0.0 and (kind, j) != ("x", 0):
                lags[kind] = max(lags[kind], i - j)
    a = np.zeros(n)
    p, q = np.zeros((n, lags["x"] + 1)), np.zeros((n, lags["u"] + 1))
    for i, row in enumerate(rows):
        for (kind, j), weight in row.items():
            if weight == 0.0:
                continue
            if kind == "u":
                q[i, i - j] = weight
            elif i - j < p.shape[1]:
                p[i, i - j] = weight
            else:
                a[i] = weight
    return Solver(np.array(times), a, p, q, np.float64(end))

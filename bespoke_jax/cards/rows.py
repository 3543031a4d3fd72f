"""The rows of (S) as JSON: numbers whose shortest decimals give the same bits back."""

import numpy as np

from bespoke_jax.cards.values import Table, integer, keys, number, short
from bespoke_jax.core.solver import Solver

DTYPES = ("float32", "float64")


def on_host(solver: Solver) -> Solver:
    """The solver with NumPy leaves of one dtype.

    Raises:
        ValueError: leaves of several dtypes, or of neither float32 nor float64.
    """
    leaves = [np.asarray(leaf) for leaf in solver]
    dtypes = {str(leaf.dtype) for leaf in leaves[:-1]}
    if len(dtypes) != 1 or dtypes.pop() not in DTYPES:
        names = ", ".join(str(leaf.dtype) for leaf in leaves)
        raise ValueError(
            "a card stores a solver whose leaves are all float32 or all float64, "
            f"got t, a, p, q, end of {names}; cast it with jax.tree.map"
        )
    t, a, p, q, end = leaves
    return Solver(t, a, p, q, end.astype(t.dtype))


def to_json(solver: Solver) -> Table:
    """{dtype, end, nfe, rows: [{t, a, p, q}, ...]} of a solver with NumPy leaves."""
    columns = (np.asarray(leaf, np.float64).tolist() for leaf in solver[:4])
    rows = zip(*columns, strict=True)
    return {
        "dtype": str(solver.t.dtype),
        "end": float(solver.end),
        "nfe": solver.nfe,
        "rows": [dict(zip("tapq", row, strict=True)) for row in rows],
    }


def from_json(value: object, where: str = "solver") -> Solver:
    """The solver of `to_json`, bit for bit.

    Raises:
        ValueError: a key too many or too few, a wrong type, ragged rows, a number that
            is not finite in the dtype, or a time out of range.
    """
    data = keys(where, value, ("dtype", "end", "nfe", "rows"))
    dtype, end = data["dtype"], number(f"{where}.end", data["end"])
    if dtype not in DTYPES:
        raise ValueError(
            f'{where}.dtype: expected "float32" or "float64", got {short(dtype)}'
        )
    if not 0 < end <= 1:
        raise ValueError(f"{where}.end: expected a time in (0, 1], got {end}")
    rows, nfe = data["rows"], integer(f"{where}.nfe", data["nfe"])
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{where}.rows: expected a list of rows, got {short(rows)}")
    if nfe != len(rows):
        raise ValueError(f"{where}.nfe is {nfe}, but there are {len(rows)} rows")
    columns: dict[str, list] = {key: [] for key in "tapq"}
    for i, row in enumerate(rows):
        _append(f"{where}.rows[{i}]", row, columns, dtype, end)
    t, a, p, q = (np.asarray(columns[key], dtype) for key in "tapq")
    return Solver(t, a, p, q, np.asarray(end, dtype))


def _append(
    where: str, value: object, columns: dict[str, list], dtype: str, end: float
) -> None:
    """Check one row and add it to the columns."""
    row = keys(where, value, tuple(columns))
    t = number(f"{where}.t", row["t"], dtype)
    if not 0 <= t <= end:
        raise ValueError(f"{where}.t: expected a time in [0, end = {end}], got {t}")
    columns["t"].append(t)
    columns["a"].append(number(f"{where}.a", row["a"], dtype))
    for key in "pq":
        values, before = row[key], columns[key]
        if not isinstance(values, list):
            raise ValueError(f"{where}.{key}: expected a list, got {short(values)}")
        if before and len(values) != len(before[0]):
            raise ValueError(
                f"{where}.{key}: expected {len(before[0])} numbers as in the rows "
                f"before it, got {len(values)}"
            )
        before.append(
            [number(f"{where}.{key}[{k}]", v, dtype) for k, v in enumerate(values)]
        )

"""Solvers as JSON: numbers whose shortest decimals give the same bits back.

Plain: {dtype, end, nfe, rows [{t, a, p, q}, ...]}; conditional, with rows in canonical
form: {dtype, end, nfe, low, high, nodes [{condition, rows [...]}, ...]}.
"""

import numpy as np

from bespoke_jax.cards.values import Table, integer, keys, number, short
from bespoke_jax.core.conditional import Conditional, check_conditional
from bespoke_jax.core.solver import Solver, validate

DTYPES = ("float32", "float64")


def on_host(solver: Solver | Conditional) -> Solver | Conditional:
    """The checked solver with NumPy leaves of one dtype.

    Raises:
        ValueError: as `validate` or `check_conditional`, or leaves of several dtypes or
            of neither float32 nor float64.
    """
    if isinstance(solver, Conditional):
        found = check_conditional(solver)
        nodes = np.asarray(found.nodes, np.float64)
        return Conditional(
            float(found.low), float(found.high), nodes, _of_one_dtype(found.solvers)
        )
    return _of_one_dtype(validate(solver))


def _of_one_dtype(solver: Solver) -> Solver:
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


def to_json(solver: Solver | Conditional) -> Table:
    """The JSON of a solver with NumPy leaves."""
    if isinstance(solver, Solver):
        return _head(solver, float(solver.end)) | {"rows": _rows(solver)}
    nodes = np.asarray(solver.nodes).tolist()
    leaves = [np.asarray(leaf) for leaf in solver.solvers]
    tables = [Solver._make(leaf[k] for leaf in leaves) for k in range(len(nodes))]
    return _head(solver.solvers, float(tables[0].end)) | {
        "low": solver.low,
        "high": solver.high,
        "nodes": [
            {"condition": w, "rows": _rows(table)}
            for w, table in zip(nodes, tables, strict=True)
        ],
    }


def _head(solver: Solver, end: float) -> Table:
    return {"dtype": str(solver.t.dtype), "end": end, "nfe": solver.nfe}


def _rows(solver: Solver) -> list[Table]:
    columns = (np.asarray(leaf, np.float64).tolist() for leaf in solver[:4])
    rows = zip(*columns, strict=True)
    return [dict(zip("tapq", row, strict=True)) for row in rows]


def from_json(
    value: object, where: str = "solver", *, conditional: bool = True
) -> Solver | Conditional:
    """The checked solver of `to_json`, bit for bit.

    Args:
        value: what stood in the file.
        where: its place, for messages.
        conditional: whether the format knows conditional solvers.

    Raises:
        ValueError: a key too many or too few, a wrong type, ragged rows, a number that
            is not finite in the dtype, or a time out of range; or as `validate` and
            `check_conditional`.
    """
    many = conditional and isinstance(value, dict) and "nodes" in value
    body = ("low", "high", "nodes") if many else ("rows",)
    data = keys(where, value, ("dtype", "end", "nfe", *body))
    dtype, end = data["dtype"], number(f"{where}.end", data["end"])
    if dtype not in DTYPES:
        raise ValueError(
            f'{where}.dtype: expected "float32" or "float64", got {short(dtype)}'
        )
    if not 0 < end <= 1:
        raise ValueError(f"{where}.end: expected a time in (0, 1], got {end}")
    nfe = integer(f"{where}.nfe", data["nfe"])
    if many:
        return _conditional(where, data, nfe, dtype, end)
    return validate(_table(f"{where}.rows", data["rows"], nfe, dtype, end))


def _conditional(
    where: str, data: Table, nfe: int, dtype: str, end: float
) -> Conditional:
    low, high = (number(f"{where}.{key}", data[key]) for key in ("low", "high"))
    nodes = data["nodes"]
    if not isinstance(nodes, list) or not nodes:
        raise ValueError(f"{where}.nodes: expected a list of nodes, got {short(nodes)}")
    ws, tables = [], []
    for k, entry in enumerate(nodes):
        place = f"{where}.nodes[{k}]"
        node = keys(place, entry, ("condition", "rows"))
        ws.append(number(f"{place}.condition", node["condition"]))
        table = _table(f"{place}.rows", node["rows"], nfe, dtype, end)
        if (table.p.shape[1], table.q.shape[1]) != (0, nfe):
            raise ValueError(
                f"{place}.rows: expected rows in canonical form, with no p and {nfe} "
                f"numbers q, got {table.p.shape[1]} and {table.q.shape[1]}"
            )
        tables.append(table)
    stacked = Solver._make(np.stack(leaves) for leaves in zip(*tables, strict=True))
    try:
        return check_conditional(Conditional(low, high, np.asarray(ws), stacked))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _table(where: str, rows: object, nfe: int, dtype: str, end: float) -> Solver:
    """The solver of a list of rows."""
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{where}: expected a list of rows, got {short(rows)}")
    if nfe != len(rows):
        raise ValueError(f"{where}: expected nfe = {nfe} rows, got {len(rows)}")
    columns: dict[str, list] = {key: [] for key in "tapq"}
    for i, row in enumerate(rows):
        _append(f"{where}[{i}]", row, columns, dtype, end)
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

"""The README's table of solvers: `uv run python -m experiments.solvers_table`."""

from pathlib import Path

import bespoke_jax as bj
from experiments.harness import pages

ROOT = Path(__file__).parents[1]
NAME = "solvers"


def lines() -> list[str]:
    """A row for each entry of `solvers.TABLE`."""
    body = []
    for name, entry in bj.solvers.TABLE.items():
        note = f": {entry.note}" if entry.note else ""
        measured = f"{entry.measured:.2g}{note}"
        body.append((f"`{name}`", [entry.order, measured, entry.stages, entry.paper]))
    columns = ("claimed order", "measured", "NFE per step", "source")
    return pages.table("solver", columns, body)


if __name__ == "__main__":
    pages.write(ROOT, NAME, lines())

"""The README's table of solvers, generated from `solvers.TABLE`.

uv run python tests/project/readme_table.py
"""

from pathlib import Path

from bespoke_jax.solvers import TABLE

BEGIN, END = "<!-- solvers: begin -->\n", "<!-- solvers: end -->"


def block(table) -> str:
    lines = [
        "| solver | claimed order | measured | NFE per step | source |",
        "|---|---|---|---|---|",
    ]
    for name, e in table.items():
        measured = f"{e.measured:.2g}" + (f": {e.note}" if e.note else "")
        lines.append(f"| `{name}` | {e.order} | {measured} | {e.stages} | {e.paper} |")
    return BEGIN + "\n".join(lines) + "\n" + END


if __name__ == "__main__":
    page = Path(__file__).parents[2] / "README.md"
    head, rest = page.read_text().split(BEGIN)
    page.write_text(head + block(TABLE) + rest.split(END)[1])

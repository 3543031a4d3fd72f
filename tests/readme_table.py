"""The README's table of solvers, generated from `solvers.TABLE`.

uv run python tests/readme_table.py
"""

from pathlib import Path

from bespoke_jax.solvers import TABLE

BEGIN, END = "<!-- solvers: begin -->\n", "<!-- solvers: end -->"


def block(table) -> str:
    lines = ["| solver | order | NFE per step | source |", "|---|---|---|---|"]
    for name, entry in table.items():
        lines.append(f"| `{name}` | {entry.order} | {entry.stages} | {entry.paper} |")
    return BEGIN + "\n".join(lines) + "\n" + END


if __name__ == "__main__":
    page = Path(__file__).parents[1] / "README.md"
    head, rest = page.read_text().split(BEGIN)
    page.write_text(head + block(TABLE) + rest.split(END)[1])

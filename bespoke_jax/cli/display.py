"""Tables for people."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A rich table; columns that begin with ">" are numbers and align right."""
    out = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        right = column.startswith(">")
        out.add_column(column.lstrip(">"), justify="right" if right else "left")
    for row in rows:
        out.add_row(*row)
    return out


def comparison(title: str, rows: Iterable[Any], *, best: bool = True) -> Table:
    """`work.Row`s, the lowest mean RMSE of each NFE in bold."""
    rows = list(rows)
    lowest = {
        n: min(row.rmse_mean for row in rows if row.nfe == n)
        for n in {r.nfe for r in rows}
    }
    return table(
        title,
        ("solver", ">NFE", ">RMSE mean", ">RMSE median", ">PSNR (dB)", ">seconds"),
        (
            [
                f"[bold]{text}[/bold]"
                if best and row.rmse_mean == lowest[row.nfe]
                else text
                for text in (
                    escape(row.solver),
                    str(row.nfe),
                    f"{row.rmse_mean:.4g}",
                    f"{row.rmse_median:.4g}",
                    f"{row.psnr:.2f}",
                    f"{row.seconds:.3f}",
                )
            ]
            for row in rows
        ),
    )


def show(*things: Any) -> None:
    """Print to stdout, one thing after the other; a pipe is 120 columns wide."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))

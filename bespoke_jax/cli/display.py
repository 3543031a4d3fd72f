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


def comparison(title: str, points: Iterable[Any]) -> Table:
    """`metrics.Point`s; bold where none has a lower mean RMSE for as few NFE."""
    from bespoke_jax.report.advice import on_front

    points = list(points)
    return table(
        title,
        (
            "solver",
            ">NFE",
            ">RMSE",
            ">95 % interval",
            ">median",
            ">flips",
            ">ms/sample",
            ">compile s",
            ">peak MiB",
        ),
        (
            [
                f"[bold]{text}[/bold]" if on_front(points, p) else text
                for text in (
                    escape(p.name),
                    str(p.nfe),
                    f"{p.rmse.mean:.4g}",
                    f"{p.rmse.low:.3g}..{p.rmse.high:.3g}",
                    f"{p.rmse.median:.4g}",
                    f"{100 * p.rmse.flip_rate:.1f} %",
                    f"{1e3 * p.seconds:.3g}",
                    f"{p.compile_seconds:.2f}",
                    f"{p.peak_bytes / 2**20:.3g}",
                )
            ]
            for p in points
        ),
    )


def show(*things: Any) -> None:
    """Print to stdout, one thing after the other; a pipe is 120 columns wide."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))

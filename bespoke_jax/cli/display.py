"""Tables for people."""

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A rich table; columns that begin with ">" are numbers and align right."""
    out = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        right = column.startswith(">")
        out.add_column(
            column.lstrip(">"), justify="right" if right else "left", overflow="fold"
        )
    for row in rows:
        out.add_row(*row)
    return out


def comparison(title: str, points: Iterable) -> Table:
    """`metrics.Point`s; bold where none has a lower mean RMSE for as few NFE."""
    from bespoke_jax.report.advice import on_front
    from bespoke_jax.report.columns import COLUMNS, NARROW

    points = list(points)
    return table(
        title,
        # On two lines where they are longer than what stands below them.
        ["solver", *(">" + "\n".join(name.rsplit(" ", 1)) for name in NARROW[1:])],
        (
            [
                f"[bold]{text}[/bold]" if on_front(points, p) else text
                for text in (escape(COLUMNS[name](p)) for name in NARROW)
            ]
            for p in points
        ),
    )


def show(*things: RenderableType) -> None:
    """Print to stdout, one thing after the other; a pipe is 120 columns wide."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))

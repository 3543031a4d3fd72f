"""`bespoke certify`: the measured order of a solver and the claimed one."""

from typing import Annotated

import tyro

from bespoke_jax.core.protocols import Schedule

SCHEDULES = ("VP", "CondOT", "Cosine", "CosineVP", "EDM")


def certify(
    solver: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME|CARD")],
    *,
    schedule: str = "VP",
    end: float = 1 - 1e-3,
    nfe: int = 0,
    condition: float | None = None,
) -> None:
    """Measure a solver's order, NFE and consistency (of a card: no order).

    Args:
        solver: a name of `bespoke list`, or a card (.json).
        schedule: VP, CondOT, Cosine, CosineVP or EDM; a card brings its own.
        end: time of the sample, in (0, 1); a card brings its own.
        nfe: which solver of a set of cards; a name is measured at several NFE.
        condition: for a card whose solver depends on a number: its value.
    """
    from bespoke_jax.cli import names
    from bespoke_jax.cli.arguments import choice, nearest
    from bespoke_jax.solvers.registry import find
    from bespoke_jax.solvers.registry import names as registered

    choice("schedule", schedule, SCHEDULES)
    if not 0 < end < 1:
        raise ValueError(f"--end must lie in (0, 1); got {end:g}")
    if names.is_card(solver):
        _card(solver, nfe, condition)
    elif find(solver):
        if nfe or condition is not None:
            raise ValueError(
                f"--nfe and --condition choose a solver of a card; {solver} has neither"
            )
        _constructor(solver, schedule, end)
    else:
        raise ValueError(
            f"no solver or card {solver!r}; the nearest are "
            f"{nearest(solver, registered(), n=3)}"
        )


def _constructor(name: str, schedule: str, end: float) -> None:
    from bespoke_jax import schedules
    from bespoke_jax.cli import display
    from bespoke_jax.metrics.order import certify as measure

    v = measure(name, schedule=getattr(schedules, schedule)(), end=end)
    rows = zip(v.asked, v.nfe, v.errors, v.gaussian_errors, v.consistency, strict=True)
    display.show(
        display.table(
            f"{name}, {schedule}, to t = {end:g}",
            (">asked", ">NFE", ">RMSE, mixture", ">RMSE, Gaussian", f">off, {v.check}"),
            (
                [str(n), str(spent), *(f"{value:.3g}" for value in values)]
                for n, spent, *values in rows
            ),
        ),
        f"Order on one Gaussian: {v.gaussian:.2f}; on the mixture: {v.measured:.2f}.",
        f"Largest deviation of a row on a {v.check}: {max(v.consistency):.2g}.",
        f"{name}: {v.text}",
    )


def _card(path: str, nfe: int, condition: float | None) -> None:
    from rich.markup import escape

    from bespoke_jax.cli import display, names
    from bespoke_jax.metrics.order import certify as measure
    from bespoke_jax.metrics.order import row_sums

    card = names.card_of(path, nfe)
    solver = names.solver_of(path, card, condition)
    v = measure(solver, schedule=_schedule(card.schedule), name=path)
    rows = zip(*row_sums(solver), strict=True)
    display.show(
        display.table(
            escape(path),
            (">row", ">makes x at t", ">weight of x_0", ">sum of u weights - t"),
            (
                [str(i), f"{t:.5f}", f"{a:.6g}", f"{off:.3g}"]
                for i, (t, a, off) in enumerate(rows)
            ),
        ),
        f"{escape(path)}: {v.text}",
    )


def _schedule(stored: dict | None) -> Schedule | None:
    """A card's schedule, or None where it has none or one that is not ours."""
    from bespoke_jax import schedules

    try:
        return schedules.from_dict(stored) if stored else None
    except ValueError:
        return None

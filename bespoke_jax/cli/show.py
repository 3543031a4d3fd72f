"""`bespoke show`: what a card says."""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import tyro
from rich.table import Table

from bespoke_jax.cards import Card, CardSet
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.solver import Solver

Entries = Iterable[tuple[str, object]]


def show(
    card: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CARD")],
    *,
    nfe: int = 0,
    condition: float | None = None,
) -> None:
    """Print where a card's solver came from, and its coefficients.

    Args:
        card: the card, or a set of them (.json).
        nfe: which card of a set; 0 lists them all.
        condition: for a solver that depends on a number: its value, to print the
            coefficients.
    """
    from bespoke_jax import cards
    from bespoke_jax.cli import arguments, display, names

    loaded = cards.load(arguments.existing(card))
    if isinstance(loaded, CardSet) and len(loaded) > 1 and not nfe:
        if condition is not None:
            raise ValueError(f"add --nfe to --condition: {card} is a set of cards")
        display.show(
            _entries(card, _origin(loaded.cards[0])),
            _budgets(loaded),
            "Add --nfe to see one of them.",
        )
        return
    chosen = names.card_of(card, nfe)
    provenance = _entries(card, [*_origin(chosen), *_result(chosen)])
    if isinstance(chosen.solver, Conditional) and condition is None:
        display.show(provenance, "Add --condition to see the coefficients for one.")
        return
    display.show(
        provenance,
        "x_{i+1} = a_i x_0 + sum_k p_ik x_{i-k} + sum_k q_ik u(t_{i-k}, x_{i-k})",
        _rows(names.solver_of(card, chosen, condition)),
    )


def _entries(title: str, entries: Entries) -> Table:
    """Those that are recorded."""
    from rich.markup import escape

    from bespoke_jax.cli import display

    return display.table(
        escape(title),
        ("what", "value"),
        [
            (what, escape(_text(value)))
            for what, value in entries
            if value not in (None, "")
        ],
    )


def _budgets(cards: CardSet) -> Table:
    from bespoke_jax.cli import display, names

    depends = [names.depends(card) for card in cards]
    column = ("solvers for",) if any(depends) else ()
    return display.table(
        "",
        (">NFE", ">RMSE", ">of its start", ">paths", ">evaluations", *column),
        [
            (
                str(card.solver.nfe),
                _text(card.rmse),
                _text(card.start_rmse),
                _text(card.paths),
                _text(card.evaluations),
                *((range_,) if column else ()),
            )
            for card, range_ in zip(cards, depends, strict=True)
        ],
    )


def _rows(solver: Solver) -> Table:
    from bespoke_jax.cli import display

    return display.table(
        "",
        (">i", ">t", ">a", "p: weights of x_i, x_{i-1}, ...", "q: of u_i, ..."),
        [
            (
                str(i),
                f"{solver.t[i]:.5f}",
                f"{solver.a[i]:.5g}",
                "  ".join(f"{value:.5g}" for value in solver.p[i]),
                "  ".join(f"{value:.5g}" for value in solver.q[i]),
            )
            for i in range(solver.nfe)
        ],
    )


def _origin(card: Card) -> Entries:
    """What the cards of a set share."""
    found = card.solver
    table = found.solvers if isinstance(found, Conditional) else found
    return [
        ("model", card.model),
        ("schedule", None if card.schedule is None else _text(card.schedule)),
        ("guidance", card.guidance),
        ("start", float(np.ravel(table.t)[0])),
        ("end", float(np.ravel(table.end)[0])),
        ("dtype", str(table.t.dtype)),
        ("seed", card.seed),
        ("created", card.created),
        ("versions", ", ".join(f"{k} {v}" for k, v in (card.versions or {}).items())),
    ]


def _result(card: Card) -> Entries:
    """What each card has of its own."""
    from bespoke_jax.cli import names

    scores, truth, cost = card.validation, card.ground_truth, card.cost
    gain, kind = None, "RMSE"
    if scores.rmse is not None:
        gain = f"{scores.rmse:.4g}"
        if scores.start_rmse is not None:
            gain += f", its start had {scores.start_rmse:.4g}"
        if scores.paths is None:
            kind = "RMSE of the paths that chose it"
        else:
            gain += f" ({scores.paths} paths that chose nothing)"
        if scores.judge is not None:
            kind = f"{scores.judge} {kind}"
    return [
        ("NFE", card.solver.nfe),
        ("a solver for each", names.depends(card)),
        ("family", card.family),
        ("loss", card.loss),
        (kind, gain),
        ("ground truth rtol", truth.rtol),
        ("ground truth atol", truth.atol),
        ("its error, measured", truth.certificate),
        ("network evaluations", cost.evaluations),
        ("seconds", cost.seconds),
        ("notes", card.notes),
    ]


def _text(value: object) -> str:
    if isinstance(value, dict):  # a schedule
        fields = ((k, _text(v)) for k, v in value.items() if k != "name")
        return f"{value['name']}({', '.join(f'{k}={v}' for k, v in fields)})"
    if isinstance(value, list):
        return f"[{len(value)} numbers]"
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)

"""`bespoke show`: what a card says."""

from typing import Annotated

import tyro

from bespoke_jax.cards import Card


def show(
    card: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CARD")],
) -> None:
    """Print where a card's solver came from, and its coefficients.

    Args:
        card: the card (.json).
    """
    from rich.markup import escape

    from bespoke_jax import cards
    from bespoke_jax.cli import arguments, display

    loaded = cards.load(arguments.existing(card))
    solver = loaded.solver
    display.show(
        display.table(
            escape(card),
            ("what", "value"),
            [
                (what, escape(_text(value)))
                for what, value in _provenance(loaded)
                if value not in (None, "")
            ],
        ),
        "x_{i+1} = a_i x_0 + sum_k p_ik x_{i-k} + sum_k q_ik u(t_{i-k}, x_{i-k})",
        display.table(
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
        ),
    )


def _provenance(card: Card) -> list[tuple[str, object]]:
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
        ("model", card.model),
        ("schedule", None if card.schedule is None else _text(card.schedule)),
        ("guidance", card.guidance),
        ("NFE", card.solver.nfe),
        ("start", float(card.solver.t[0])),
        ("end", float(card.solver.end)),
        ("dtype", str(card.solver.t.dtype)),
        ("family", card.family),
        ("loss", card.loss),
        (kind, gain),
        ("ground truth rtol", truth.rtol),
        ("ground truth atol", truth.atol),
        ("its error, measured", truth.certificate),
        ("network evaluations", cost.evaluations),
        ("seconds", cost.seconds),
        ("seed", card.seed),
        ("created", card.created),
        ("versions", ", ".join(f"{k} {v}" for k, v in (card.versions or {}).items())),
        ("notes", card.notes),
    ]


def _text(value: object) -> str:
    if isinstance(value, dict):  # a schedule
        fields = ((k, _text(v)) for k, v in value.items() if k != "name")
        return f"{value['name']}({', '.join(f'{k}={v}' for k, v in fields)})"
    if isinstance(value, list):
        return f"[{len(value)} numbers]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)

"""Cards: a solver and where it came from, as one readable JSON file.

A card holds the rows of (S) and the provenance that a reader needs to trust them: the
model and its schedule, how the solver was fitted, its error and that of its start on
held-out samples, the accuracy of the ground truth, and the cost of all of that. A set
of cards for several budgets of one model is one file too.

Saving is atomic and loading checks everything: a card is either read whole or refused
with one sentence. Nothing in the file is ever executed.
"""

import os
from pathlib import Path

from bespoke_jax.cards import atomic
from bespoke_jax.cards.format import encode, parse
from bespoke_jax.cards.making import Fit, Fits, Truths, of
from bespoke_jax.cards.records import Card
from bespoke_jax.cards.sets import CardSet
from bespoke_jax.core import checks
from bespoke_jax.core.conditional import Conditional
from bespoke_jax.core.solver import Solver


def save(
    path: str | os.PathLike[str],
    solver: Solver | Conditional | Card | CardSet | Fit | Fits,
    truth: Truths | None = None,
    **about: object,
) -> Path:
    """Write a card, or a set of cards, atomically and return its path.

        card.save("digits-8.json", fitted, paths, model="digits FM-OT", seed=0)
        card.save("digits-8.json", solver, model="digits FM-OT", rmse=0.02)
        card.save("digits.json", card.CardSet((card_4, card_8)))

    Args:
        path: the JSON file to write; an existing card is replaced, missing parent
            folders are made.
        solver, truth, **about: as for `of`.

    Raises:
        ValueError: the solver or an entry is invalid, or the file cannot be written.
    """
    path = checks.path("path", path)
    card = of(solver, truth, **about)
    try:
        text = encode(card)
        parse(text)  # what `load` would refuse is never written
    except ValueError as error:
        raise ValueError(f"cannot save this card: {error}") from None
    if path.is_dir():
        raise ValueError(
            f"cannot write a card to {path}: it is a folder; "
            f"give a file name, such as {path / 'solver.json'}"
        )
    try:
        return atomic.write_text(path, text)
    except UnicodeEncodeError as error:
        raise ValueError(f"cannot save this card: text {error.reason}") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"cannot write the card {path}: {reason}") from None


def load(path: str | os.PathLike[str]) -> Card | CardSet:
    """Read a card or a set of cards; solvers have NumPy leaves of the stored dtype,
    bit for bit.

        solver = card.load("digits-8.json").at()
        solver = card.load("digits.json").at(nfe=8, condition=3.5)

    Raises:
        ValueError: the file cannot be read, is no card, comes from a newer version, or
            holds anything missing, unknown, misspelt, of a wrong type, ragged,
            non-finite or out of range. The message names the file and the place.
    """
    path = checks.path("path", path)
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ValueError(f"cannot read the card {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected JSON in UTF-8, got {error.reason}"
        ) from None
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None

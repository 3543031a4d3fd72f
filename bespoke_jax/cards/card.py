"""Cards: a solver and where it came from, as one readable JSON file.

A card holds the rows of (S) and the provenance that a reader needs to trust them:
which model and schedule, how it was fitted, how much better than its start it was on
held-out samples, how exact the ground truth was, and what all of that cost.

Saving is atomic and loading checks everything: a card is either read whole or refused
with one sentence; nothing in the file is ever executed.
"""

import contextlib
import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bespoke_jax import schedules
from bespoke_jax._version import __version__
from bespoke_jax.cards import atomic
from bespoke_jax.cards.format import encode, parse
from bespoke_jax.core import checks
from bespoke_jax.core.solver import Solver, validate


class Card(NamedTuple):
    """A solver with its provenance; None and "" mean "not recorded".

    `rmse` and `start_rmse` are RMSEs (per-sample RMS; the `judge`, "mean" or "median",
    over samples) of the solver and of the one its fit started from, measured on `paths`
    samples that chose nothing. Cards of format 1 record neither judge nor paths: their
    scores are of the paths that chose the iterate. `rtol`, `atol` and `certificate`
    are the ground truth's tolerances and its measured RMSE against a ten times tighter
    solve. `evaluations` counts network evaluations of single samples, `seconds` the
    wall-clock of the fit. `guidance` is the classifier-free weight baked into the
    field. `schedule` is {"name": ..., its fields}, with a schedule inside as another
    such dict. `created` is ISO 8601 in UTC. Times run from solver.t[0] to solver.end.
    """

    solver: Solver
    model: str = ""
    schedule: dict[str, Any] | None = None
    family: str = ""
    loss: str = ""
    rmse: float | None = None
    start_rmse: float | None = None
    judge: str | None = None
    paths: int | None = None
    rtol: float | None = None
    atol: float | None = None
    certificate: float | None = None
    evaluations: int | None = None
    seconds: float | None = None
    guidance: float | None = None
    seed: int | None = None
    notes: str = ""
    created: str = ""
    versions: dict[str, str] | None = None


def save(
    path: str | os.PathLike[str],
    solver: Solver,
    *,
    model: str = "",
    schedule: Any = None,
    family: str = "",
    loss: str = "",
    rmse: Any = None,
    start_rmse: Any = None,
    judge: str | None = None,
    paths: Any = None,
    rtol: Any = None,
    atol: Any = None,
    certificate: Any = None,
    evaluations: Any = None,
    seconds: Any = None,
    guidance: Any = None,
    seed: Any = None,
    notes: str = "",
) -> Path:
    """Write a card atomically and return its path.

    The file appears complete or not at all: it is written beside its target, flushed
    to disk and renamed. Missing parent folders are made.

    Args:
        path: the JSON file to write; an existing card is replaced.
        solver: a valid `Solver` of float32 or float64 leaves, stored bitwise.
        schedule: a schedule (`schedules.VP(...)`), stored as `schedules.to_dict` does,
            or a loaded card's dict.
        model, family, loss, notes: free text.
        rmse, start_rmse, rtol, atol, certificate, seconds: numbers >= 0, see `Card`.
        judge: "mean" or "median", what rmse and start_rmse are of the samples' errors.
        paths, evaluations, seed: integers >= 0; `paths` counts the samples behind rmse.
        guidance: a number.

    Raises:
        ValueError: the solver or a field is invalid, or the file cannot be written.
    """
    path = checks.path("path", path)
    card = Card(
        solver=_host(validate(solver)),
        model=model,
        schedule=_record(schedule),
        family=family,
        loss=loss,
        rmse=_plain(rmse),
        start_rmse=_plain(start_rmse),
        judge=judge,
        paths=_plain(paths),
        rtol=_plain(rtol),
        atol=_plain(atol),
        certificate=_plain(certificate),
        evaluations=_plain(evaluations),
        seconds=_plain(seconds),
        guidance=_plain(guidance),
        seed=_plain(seed),
        notes=notes,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        versions=_versions(),
    )
    try:
        text = encode(card._asdict())
        parse(text)  # what `load` would refuse is never written
    except ValueError as error:
        raise ValueError(f"cannot save this card: {error}") from None
    return _write(path, text)


def load(path: str | os.PathLike[str]) -> Card:
    """Read a card; its solver has NumPy leaves of the stored dtype, bit for bit.

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
        fields = parse(text)
        dtype, end, rows = (fields.pop(key) for key in ("dtype", "end", "rows"))
        t, a, p, q = rows
        solver = Solver(*(np.asarray(leaf, dtype) for leaf in (t, a, p, q, end)))
        return Card(solver=validate(solver), **fields)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _host(solver: Solver) -> Solver:
    leaves = [np.asarray(leaf) for leaf in solver]
    dtypes = {leaf.dtype for leaf in leaves[:-1]}
    if len(dtypes) != 1 or dtypes.pop() not in (np.float32, np.float64):
        names = ", ".join(str(leaf.dtype) for leaf in leaves)
        raise ValueError(
            "a card stores a solver whose leaves are all float32 or all float64, "
            f"got t, a, p, q, end of {names}; cast it with jax.tree.map"
        )
    t, a, p, q, end = leaves
    return Solver(t, a, p, q, end.astype(t.dtype))


def _plain(value: Any) -> Any:
    """NumPy and JAX scalars and arrays as Python numbers; the rest unchanged."""
    return np.asarray(value).tolist() if hasattr(value, "__array__") else value


def _record(schedule: Any) -> dict[str, Any] | None:
    known = schedule is None or isinstance(schedule, dict)
    return schedule if known else schedules.to_dict(schedule)


def _versions() -> dict[str, str]:
    versions = {"bespoke_jax": __version__, "python": platform.python_version()}
    for name in ("jax", "flax", "diffrax"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _write(path: Path, text: str) -> Path:
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

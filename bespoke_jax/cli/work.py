"""What several commands do: keys, ground truth, solvers by name, tables."""

import csv
import json
import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bespoke_jax import cards as card
from bespoke_jax import reference
from bespoke_jax.cli.arguments import existing, nearest
from bespoke_jax.core.solver import Solver
from bespoke_jax.fields.model import Model, noise
from bespoke_jax.fitting.candidates import Dropped
from bespoke_jax.fitting.search import Tailored
from bespoke_jax.metrics import Point
from bespoke_jax.reference.paths import Paths
from bespoke_jax.solvers import TABLE, construct

BATCH = 128
RTOL = ATOL = 1e-5


def key(seed: int, purpose: str) -> jax.Array:
    """One key for each purpose of a seed: no command judges on noises it fitted on.

    Raises:
        ValueError: a seed outside 0 .. 2^32 - 1.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed must lie in 0 .. {2**32 - 1}; got {seed}")
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def starting(model: Model, start: float) -> Model:
    """The model with another start of its interval; -1 keeps its own.

    Raises:
        ValueError: a start outside [0, end), or one that the model has no states for.
    """
    if start == -1:
        return model
    if not 0 <= start < model.end:
        raise ValueError(f"--start must lie in [0, {model.end:g}); got {start:g}")
    if start and model.x0 is None:
        raise ValueError(
            f"--start {start:g}: the model {model.name} says nothing of its states "
            "there; give its bespoke_jax.Model an x0(key, n, start)"
        )
    return model._replace(start=start)


def ground_truth(
    model: Model,
    n: int,
    noise_key: jax.Array,
    *,
    directory: str | None = None,
    batch_size: int = BATCH,
    progress: bool,
) -> Paths:
    """n exact paths of a model from fresh noise."""
    x0, c = noise(model, noise_key, n)
    return reference.solve(
        model.field,
        x0,
        c=c,
        start=model.start,
        end=model.end,
        rtol=RTOL,
        atol=ATOL,
        batch_size=min(batch_size, n),
        directory=directory,
        progress=progress,
    )


def named_solver(name: str, nfe: int, model: Model) -> tuple[str, Solver]:
    """A card's solver, or a `TABLE` entry with as many steps as `nfe` pays for.

    An entry stands alone or with a grid of `grids.NAMES`: `unipc:quadratic`.

    Raises:
        ValueError: neither, with the nearest of both; an unknown grid; a card whose
            end is not the model's; too small an nfe.
    """
    entry, _, grid = name.partition(":")
    if entry in TABLE:
        return name, construct(
            entry,
            nfe,
            schedule=model.schedule,
            start=model.start,
            end=model.end,
            grid=grid or None,
        )
    if not is_card(name):
        known = [*TABLE, *map(str, Path(name).parent.glob("*.json"))]
        raise ValueError(
            f"no solver or card {name!r}; the nearest are {nearest(name, known, n=3)}"
        )
    solver = card.load(existing(name)).solver
    ends = float(solver.t[0]), float(solver.end)
    if not np.allclose(ends, (model.start, model.end), atol=1e-6):
        raise ValueError(
            f"the card {name} runs from t = {ends[0]:g} to {ends[1]:g}, the model "
            f"{model.name} from {model.start:g} to {model.end:g}; they were not made "
            "for each other"
        )
    return name, solver


def save_tailored(
    path: Path, found: Tailored, *, model: str, schedule: Any, seed: int
) -> Path:
    """The card of a tailored solver; `model` is what `--model` was."""
    paths = found.paths
    return card.save(
        path,
        found.solver,
        model=model,
        schedule=schedule,
        family=found.family.name,
        loss=f"robust end-point errors, judged by their {found.judge}",
        rmse=found.rmse,
        start_rmse=found.start_rmse,
        judge=found.judge,
        paths=found.scored,
        rtol=paths.control.rtol,
        atol=paths.control.atol,
        certificate=paths.certificate.endpoint,
        evaluations=found.evaluations,
        seconds=float(found.history.seconds[-1]),
        seed=seed,
        notes=f"tailored from {found.start}",
    )


def said_of(dropped: Sequence[Dropped]) -> list[str]:
    """What a search left out: how many, and why the first of each kind."""
    reasons: dict[str, list[str]] = {}
    for name, reason in dropped:
        reasons.setdefault(reason, []).append(name)
    return [
        f"Left out: {names[0]}"
        + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        + f" ({reason})."
        for reason, names in list(reasons.items())[:5]
    ]


def is_card(name: str) -> bool:
    """Whether a name is a file's rather than a solver's."""
    return name.partition(":")[0] not in TABLE and (
        Path(name).is_file() or name.endswith(".json")
    )


def model_of(name: str, solvers: Iterable[str]) -> str:
    """The model to use: the given one, else the one that the first card names."""
    cards = [card.load(existing(solver)) for solver in solvers if is_card(solver)]
    return name or next((c.model for c in cards if c.model), "")


def write_json(path: Path, points: Sequence[Point]) -> Path:
    """The figures of a comparison as a JSON list of objects."""
    lines = ",\n".join(f"  {json.dumps(point.row())}" for point in points)
    path.write_text(f"[\n{lines}\n]\n", "utf-8")
    return path


def write_csv(path: Path, points: Sequence[Point]) -> Path:
    """The same with one line a point, under a line of names."""
    rows = [point.row() for point in points]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def writable(path: str, *, suffix: str) -> Path:
    """The file to write later, refused now if that could not work.

    Raises:
        ValueError: a folder, another suffix, or a folder that cannot be written.
    """
    file = Path(path)
    if file.is_dir() or file.suffix != suffix:
        raise ValueError(f"--out must be a {suffix} file; got {path}")
    folder(str(file.parent))
    return file


def folder(path: str) -> Path:
    """A folder to write into, made if missing.

    Raises:
        ValueError: it cannot be made or written.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make the folder {path}: {error.strerror}") from None
    if not os.access(path, os.W_OK):
        raise ValueError(f"the folder {path} is not writable")
    return Path(path)

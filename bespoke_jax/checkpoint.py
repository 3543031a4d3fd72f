"""Checkpoints by orbax that resume a run to the identical result, or refuse.

A directory belongs to one run: its settings are written beside the checkpoints, and a
run with other settings is refused instead of being continued with the wrong state.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp

T = TypeVar("T")


def fingerprint(tree: Any) -> str:
    """A short hash of the shapes, dtypes and bytes of all array leaves."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        array = np.asarray(leaf)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def same(a: Any, b: Any) -> bool:
    """Equal settings: floats, also in lists, to a relative 1e-3, the rest exactly."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-3)
    return a == b


class Checkpoints:
    """The checkpoints of one run in one directory.

    Args:
        directory: created when missing.
        settings: JSON-able description of the run; must equal that of the checkpoints
            already there, floats to a relative 1e-3.
        save_seconds: least time between two saves.
        keep: how many saved steps to keep, the latest ones; None for all.

    Raises:
        ValueError: the directory holds another run, or is not a directory.
    """

    def __init__(
        self,
        directory: Path,
        settings: dict[str, Any],
        *,
        save_seconds: float = 0.0,
        keep: int | None = 2,
    ):
        if directory.exists() and not directory.is_dir():
            raise ValueError(f"{directory} is a file; checkpoints need a directory.")
        directory.mkdir(parents=True, exist_ok=True)
        self._check(directory / "settings.json", settings)
        self._save_seconds, self._saved = save_seconds, time.perf_counter()
        self._manager = ocp.CheckpointManager(
            (directory / "checkpoints").absolute(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, enable_async_checkpointing=False, create=True
            ),
        )

    @staticmethod
    def _check(path: Path, settings: dict[str, Any]) -> None:
        if not path.exists():
            # Written whole or not at all: a kill must not leave half a file.
            draft = path.with_suffix(".partial")
            draft.write_text(json.dumps(settings, indent=2) + "\n")
            draft.replace(path)
            return
        try:
            before = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not readable ({error}); remove it.") from error
        differ = [k for k in settings if not same(before.get(k), settings[k])]
        if differ:
            details = "; ".join(
                f"{k} was {before.get(k)}, is {settings[k]}" for k in differ
            )
            raise ValueError(
                f"{path.parent} holds another run ({details}). Choose another "
                "directory, or remove this one to start afresh."
            )

    def restore(self, run: T) -> T:
        """The latest saved run, or `run` itself when there is none."""
        latest = self._manager.latest_step()
        if latest is None:
            return run
        # The history grows, so shapes come from the checkpoint, structure from `run`.
        likes, structure = jax.tree.flatten(run)
        values = [
            value if isinstance(like, np.ndarray) else jax.numpy.asarray(value)
            for value, like in zip(self._read(latest), likes, strict=True)
        ]
        return jax.tree.unflatten(structure, values)

    def cached(self, step: int, compute: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """The arrays saved as `step`; else those of `compute()`, which are saved."""
        if step in self._manager.all_steps():
            return self._read(step)
        arrays = compute()
        self._write(step, arrays)
        return arrays

    def save(self, step: int, run: Any) -> None:
        """Save, unless the last save was a moment ago."""
        if time.perf_counter() - self._saved >= self._save_seconds:
            self._write(step, run)

    def finish(self, step: int, run: Any) -> None:
        """Save the last state unless it is there already, and close."""
        if self._manager.latest_step() != step:
            self._write(step, run)
        self.close()

    def close(self) -> None:
        """Let go of the directory."""
        self._manager.close()

    def _read(self, step: int) -> list[np.ndarray]:
        saved = self._manager.restore(step, args=ocp.args.StandardRestore())
        return [np.asarray(saved[name]) for name in sorted(saved)]

    def _write(self, step: int, run: Any) -> None:
        leaves = {f"{i:04d}": np.asarray(v) for i, v in enumerate(jax.tree.leaves(run))}
        self._manager.save(step, args=ocp.args.StandardSave(leaves))
        self._manager.wait_until_finished()
        self._saved = time.perf_counter()

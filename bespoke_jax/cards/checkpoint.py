"""Orbax checkpoints from which a run resumes to the identical result.

A directory belongs to one run. The settings of the run are stored with the checkpoints,
and a run with other settings is refused. Settings describe the inputs of the
computation only, never clocks, devices, placements or folders, so that the same call
finds its state in another process and on other devices.

A process may be killed at any moment: orbax writes a step under a temporary name and
renames it when it is complete. A directory without a complete step belongs to no run.
Of several processes the first one writes and all read: the directory is shared.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import PyTree

from bespoke_jax.cards import atomic
from bespoke_jax.core.hosts import is_first, to_host, wait

T = TypeVar("T")

_SAME = 1e-3
"""Relative difference up to which two measurements are of the same thing."""


class Checkpoints:
    """The checkpoints of one run in one directory.

    Args:
        directory: created when missing.
        settings: description of the run; must equal that of the checkpoints already
            there. Arrays are measurements, such as velocities of a field, and equal
            within 1e-3 of their size; everything else is JSON-able and equal exactly.
        save_seconds: least time between two saves.
        keep: how many saved steps to keep, the latest ones; None for all.

    Raises:
        ValueError: the directory holds another run, or is not a directory.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, object],
        *,
        save_seconds: float = 0.0,
        keep: int | None = 2,
    ):
        if directory.exists() and not directory.is_dir():
            raise ValueError(f"{directory} is a file; checkpoints need a directory.")
        directory.mkdir(parents=True, exist_ok=True)
        self._save_seconds, self._saved = save_seconds, time.perf_counter()
        self._manager = ocp.CheckpointManager(
            (directory / "checkpoints").absolute(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, enable_async_checkpointing=False, create=True
            ),
        )

        try:
            self._check(directory / "settings.json", settings)
        except BaseException:
            self.close()
            raise

    def _check(self, path: Path, settings: Mapping[str, object]) -> None:
        plain = {k: _plain(value) for k, value in settings.items()}
        new = self._manager.latest_step() is None or not path.exists()
        wait("settings")  # all have looked before the first one writes
        if new:
            if is_first():
                atomic.write_text(path, json.dumps(plain, indent=2) + "\n")
            return
        try:
            before = json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"{path} is not readable ({error}); remove it.") from error
        differ = [k for k in plain if not _same(before.get(k), settings[k])]
        if differ:
            details = "; ".join(
                f"{k} was {_shown(before.get(k))}, is {_shown(plain[k])}"
                for k in differ
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

    def save(self, step: int, run: PyTree) -> None:
        """Save, unless the last save is less than `save_seconds` ago."""
        if time.perf_counter() - self._saved >= self._save_seconds:
            self._write(step, run)

    def finish(self, step: int, run: PyTree) -> None:
        """Save the last state unless it is there already, and close."""
        if self._manager.latest_step() != step:
            self._write(step, run)
        self.close()

    def close(self) -> None:
        """Release the directory."""
        self._manager.close()

    def _read(self, step: int) -> list[np.ndarray]:
        saved = self._manager.restore(step, args=ocp.args.StandardRestore())
        return [np.asarray(saved[name]) for name in sorted(saved)]

    def _write(self, step: int, run: PyTree) -> None:
        leaves = {f"{i:04d}": v for i, v in enumerate(to_host(jax.tree.leaves(run)))}
        self._manager.save(step, args=ocp.args.StandardSave(leaves))
        self._manager.wait_until_finished()
        self._saved = time.perf_counter()


def _plain(value: object) -> object:
    """The value as JSON stores it; at most 64 numbers of an array."""
    if not isinstance(value, np.ndarray):
        return value
    flat = np.asarray(value, np.float64).ravel()
    return flat[np.linspace(0, flat.size - 1, min(flat.size, 64)).astype(int)].tolist()


def _same(before: object, value: object) -> bool:
    if not isinstance(value, np.ndarray):
        return before == json.loads(json.dumps(value))
    now = np.asarray(_plain(value))
    if not isinstance(before, list) or len(before) != now.size:
        return False
    size = float(np.sqrt(np.mean(now**2)))
    return bool(np.max(np.abs(np.asarray(before, np.float64) - now)) <= _SAME * size)


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

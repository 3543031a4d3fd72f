"""Results of the studies as JSON: read, extended row by row, written atomically."""

import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

import bespoke_jax as bj
from bespoke_jax.cards import atomic

Row = dict[str, Any]


def load(path: Path) -> dict[str, Any]:
    """The content of a JSON file."""
    return json.loads(path.read_text())


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically; its folder is made."""
    atomic.write_text(path, json.dumps(content, indent=1) + "\n")


class Results:
    """Rows measured with the same settings, in one JSON file.

    Rows of a file with other settings are ignored, and replaced with the first new row.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]):
        self.path = path
        self.settings = json.loads(json.dumps(settings, default=str))
        self.rows: list[Row] = []
        self.machine = machine()
        """Hardware and versions of the last row that was measured."""
        if path.exists():
            content = load(path)
            if content["settings"] == self.settings:
                self.rows, self.machine = content["rows"], content["machine"]

    def get(self, **key: Any) -> Row:
        """The first row with these entries.

        Raises:
            KeyError: there is none.
        """
        row = self._find(key)
        if row is None:
            raise KeyError(f"{self.path} has no row with {key}: measure it first")
        return row

    def once(self, key: Row, compute: Callable[[], Row]) -> Row:
        """The row with the entries `key`, computed and stored if it is not there."""
        row = self._find(key)
        if row is not None:
            return row
        began = time.perf_counter()
        row = {**key, **compute(), "seconds": time.perf_counter() - began}
        self.rows.append(row)
        self.machine = machine()
        content = {"settings": self.settings, "machine": self.machine}
        save(self.path, {**content, "rows": self.rows})
        return row

    def _find(self, key: Row) -> Row | None:
        return next((row for row in self.rows if key.items() <= row.items()), None)


def stored(
    results: Callable[[str], Results], names: Iterable[str], *, complete: int = 1
) -> dict[str, Results]:
    """The results by name that have at least `complete` rows; others are not done."""
    found = {name: results(name) for name in names}
    return {name: each for name, each in found.items() if len(each.rows) >= complete}


def machine() -> str:
    """Hardware and versions of this process, for people."""
    known = hasattr(os, "sched_getaffinity")  # not on every platform
    allowed = len(os.sched_getaffinity(0)) if known else os.cpu_count()
    return (
        f"{platform.machine()}, {jax.default_backend()}, {allowed} of "
        f"{os.cpu_count()} cores; "
        f"Python {platform.python_version()}, JAX {jax.__version__}"
    )


def hardware(results: Iterable[Results]) -> str:
    """Where these results were measured, each machine once."""
    return " and ".join(dict.fromkeys(each.machine for each in results))


def as_lists(solver: bj.Solver) -> list[Any]:
    """A solver as nested lists for a row of results, restored by `as_solver`."""
    return [np.asarray(leaf).tolist() for leaf in solver]


def as_solver(lists: list[Any]) -> bj.Solver:
    """The solver that `as_lists` wrote."""
    t, a, p, q, end = (np.asarray(leaf) for leaf in lists)
    return bj.Solver(t, a, p.reshape(len(t), -1), q.reshape(len(t), -1), end)


def as_shades(images: Any) -> str:
    """Images on [-1, 1] as hexadecimal digits, a byte a pixel; read by `shades`."""
    levels = np.clip(np.asarray(images) * 127.5 + 127.5, 0, 255)
    return np.rint(levels).astype(np.uint8).tobytes().hex()


def shades(text: str) -> np.ndarray:
    """The pixels that `as_shades` wrote, 0 .. 255 in one row."""
    return np.frombuffer(bytes.fromhex(text), np.uint8)

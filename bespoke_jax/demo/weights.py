"""Weights as one flat `.npz`: float32 arrays named by their path, and a record.

A plain archive instead of a checkpoint folder, because it is package data: one file per
model of a megabyte, which NumPy alone can read and which cannot execute code.
"""

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import flax.traverse_util
import numpy as np

from bespoke_jax.cards import atomic

_RECORD = "record"


class Weights(NamedTuple):
    """`params`, a nested dict of float32 arrays, and `record`, how they were made."""

    params: dict[str, Any]
    record: dict[str, Any]


def write(path: Path, weights: Weights) -> None:
    """Write `path` atomically; keys are "block/layer/kernel", the record is JSON."""
    flat = flax.traverse_util.flatten_dict(weights.params, sep="/")
    arrays: dict[str, np.ndarray] = {
        k: np.asarray(a, np.float32) for k, a in flat.items()
    }
    arrays[_RECORD] = np.array(json.dumps(weights.record))
    with atomic.replacing(path) as file:
        np.savez_compressed(file, **arrays, allow_pickle=False)


def read(data: bytes) -> Weights:
    """Read the bytes that `write` wrote, without pickle.

    Raises:
        ValueError: an array is not finite float32, or the record is missing.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if _RECORD not in arrays:
        raise ValueError(f"weights need a {_RECORD!r} entry; got {sorted(arrays)}")
    record = json.loads(arrays.pop(_RECORD).item())
    for name, a in arrays.items():
        if a.dtype != np.float32 or not np.isfinite(a).all():
            raise ValueError(f"weights must be finite float32; {name} is not")
    params = flax.traverse_util.unflatten_dict(arrays, sep="/")
    return Weights(params, record)

"""Several processes that run one program: numbers for all of them, work for the first.

Under `jax.distributed` an array may lie on devices of other processes, which NumPy
cannot read, and clocks differ. What decides about the next step must be the same number
in every process: it is gathered (`to_host`) or that of the first process (`agreed`).
"""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree


def to_host(tree: PyTree) -> Any:
    """The same pytree of NumPy arrays in every process, for the few numbers of a step.

    Leaves that all processes can read are fetched together; others are gathered.
    """

    def readable(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
            return leaf
        if leaf.is_fully_replicated:
            return leaf.addressable_data(0)
        return multihost_utils.process_allgather(leaf, tiled=True)

    return jax.tree.map(np.asarray, jax.device_get(jax.tree.map(readable, tree)))


def is_first() -> bool:
    """Whether this process writes files and shows progress; a single one does."""
    return jax.process_index() == 0


def shows(progress: bool) -> bool:
    """Whether this process shows the progress that was asked for."""
    return progress and is_first()


def agreed(value: float) -> float:
    """The number of the first process, such as its clock."""
    if jax.process_count() == 1:
        return value
    return float(multihost_utils.broadcast_one_to_all(np.float64(value)))


def wait(name: str) -> None:
    """Return when all processes have come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)

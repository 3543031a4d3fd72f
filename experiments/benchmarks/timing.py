"""How these benchmarks time and weigh compiled programs.

A machine's speed drifts by more than what is to be measured. So programs are timed in
turn, round after round, and compared within a round: the quotients are what counts.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache
from tqdm import tqdm


def cores() -> int:
    """Cores that this process may use, 1 where the platform does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def seconds(work: Callable[[], Any]) -> float:
    """Time until the result of `work` is there."""
    began = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - began


def in_turn(
    works: Mapping[Any, Callable[[], Any]], rounds: int, *, warm: bool = True, **bar
) -> dict[Any, np.ndarray]:
    """Seconds of each work, one a round; `warm` runs each once before.

    Every other round goes backwards, so that no work always follows the same other one
    into a warm cache.
    """
    for work in works.values() if warm else ():
        seconds(work)
    spent: dict[Any, list[float]] = {name: [] for name in works}
    for number in tqdm(range(rounds), **bar):
        for name in list(works)[:: -1 if number % 2 else 1]:
            spent[name].append(seconds(works[name]))
    return {name: np.array(column) for name, column in spent.items()}


def quartiles(ratios: np.ndarray) -> list[float]:
    """Lower quartile, median, upper quartile."""
    return [float(value) for value in np.quantile(ratios, (0.25, 0.5, 0.75))]


def peak(program: Any) -> int:
    """Bytes that XLA reserves for a compiled program's temporaries, beyond arguments.

    The peak by construction: all buffers that live at the same time have their own
    place in it.
    """
    analysis = program.memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


@contextmanager
def without_cache() -> Iterator[None]:
    """Nothing is compiled from, or into, the persistent cache, whatever is set."""
    # A process asks only once whether there is a cache: `reset_cache` forgets that.
    before = jax.config.values["jax_enable_compilation_cache"]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()

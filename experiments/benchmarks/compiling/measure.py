"""Traces and compiles solves and their gradients afresh at every NFE."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.tree_util import Partial
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import programs, timing

HERE = Path(__file__).parent


SUBJECTS = {  # label -> program, solver
    "solve, midpoint": ("solve", "midpoint"),
    "solve, dense": ("solve", "dense"),
    "gradient, midpoint": ("gradient, recomputing", "midpoint"),
}


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    batch: int = 64
    nfe: tuple[int, ...] = (4, 8, 16, 32, 64)
    rounds: int = 5


def traces(program: Any, field: Any, solver: bj.Solver, x0: jax.Array) -> int:
    """Python calls of the network over three sets of coefficients and weights."""
    calls = []

    def counted(inner, t, x):
        calls.append(None)
        return inner(t, x)

    run = jax.jit(lambda field, solver, x0: program(field, solver, x0))
    for scale in (1.0, 0.9, 0.8):
        # The times stay in order and inside the interval.
        numbers, weights = jax.tree.map(lambda leaf, s=scale: leaf * s, (solver, field))
        run(Partial(counted, weights), numbers, x0)
    return len(calls)


def measure(config: Config) -> None:
    model = bj.demo.load(config.model)
    x0, _ = bj.model.noise(model, jax.random.key(0), config.batch)
    kinds = [(label, nfe) for label in SUBJECTS for nfe in config.nfe]
    spent: dict[tuple[str, int], list[list[float]]] = {kind: [] for kind in kinds}
    with timing.without_cache():
        for number in tqdm(range(config.rounds), desc="compile", unit="round"):
            for label, nfe in kinds[:: -1 if number % 2 else 1]:
                kind, name = SUBJECTS[label]
                solver = programs.construct(model, name, nfe)
                jax.clear_caches()
                made = programs.compiled(
                    programs.PROGRAMS[kind], model.field, solver, x0
                )
                spent[label, nfe].append([made.trace, made.compile])
        rows = []
        for label, nfe in tqdm(kinds, desc="traces"):
            kind, name = SUBJECTS[label]
            solver = programs.construct(model, name, nfe)
            total = np.sum(spent[label, nfe], axis=1)
            ratio = total / np.sum(spent[label, config.nfe[0]], axis=1)
            trace, compiling = np.median(spent[label, nfe], axis=0)
            rows.append({
                "subject": label, "nfe": nfe,
                "trace_seconds": float(trace), "compile_seconds": float(compiling),
                "seconds": float(np.median(total)),
                "ratio": timing.quartiles(ratio),
                "traces": traces(programs.PROGRAMS[kind], model.field, solver, x0),
            })  # fmt: skip
    result = {"machine": harness.machine(), "rounds": config.rounds, "rows": rows}
    harness.save(HERE / "results.json", result)

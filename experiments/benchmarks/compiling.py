"""Compile time and trace count against the number of network evaluations.

    uv run python -m experiments.benchmarks.compiling

Digits U-Net. A solve by midpoint, one by a dense solver (every row of it sees all
velocities before it) and the gradient of a midpoint solve by its numbers are traced and
compiled afresh at every NFE, in turn, round after round, without the persistent
compilation cache; ratios to the fewest NFE are taken round by round. Traces are the
Python calls of the network over three sets of coefficients and weights. Writes
`compiling.json`, `compiling.png` and the table in README.md.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import tyro
from jax.tree_util import Partial
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import programs, timing

matplotlib.use("Agg")
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


def main(config: Config) -> None:
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
    result = {"hardware": harness.machine(), "rounds": config.rounds, "rows": rows}
    (HERE / "compiling.json").write_text(json.dumps(result, indent=1) + "\n")
    write_page(config, rows)
    draw(config, rows)


def write_page(config: Config, rows: list[dict[str, Any]]) -> None:
    of = lambda label, key: [row[key] for row in rows if row["subject"] == label]
    columns = [f"{nfe} NFE" for nfe in config.nfe]
    first, last = config.nfe[0], config.nfe[-1]
    table = lambda corner, cells: harness.table(
        corner, columns, [(label, cells(label)) for label in SUBJECTS]
    )
    seconds = {"Python": "trace_seconds", "XLA": "compile_seconds"}
    parts = [
        (f"{label}, {part}", of(label, key))
        for label in SUBJECTS
        for part, key in seconds.items()
    ]
    ratio = lambda label: [quartiles[1] for quartiles in of(label, "ratio")]
    worst = max(value for label in SUBJECTS for value in ratio(label))
    counts = {count for label in SUBJECTS for count in of(label, "traces")}
    lines = [
        *harness.table("seconds, median", columns, parts),
        "",
        *table(f"trace and compile, over {first} NFE, median", ratio),
        "",
        *table("traces", lambda label: of(label, "traces")),
        "",
        f"The largest of the medians is {worst:.2f} times the time at {first} NFE, "
        f"for up to {last // first} times the evaluations. The network is traced "
        + (
            "once in every row."
            if counts == {1}
            else f"{min(counts)} to {max(counts)} times."
        ),
        "",
        f"{config.model} U-Net, batch {config.batch}, {config.rounds} rounds in turn. "
        f"{harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "compiling", lines)


def draw(config: Config, rows: list[dict[str, Any]]) -> None:
    import matplotlib.pyplot as plt

    styles = [("o", "-", "tab:blue"), ("s", "--", "black"), ("^", "-.", "tab:red")]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for label, (marker, dash, colour) in zip(SUBJECTS, styles, strict=True):
        mine = [row for row in rows if row["subject"] == label]
        style = {"marker": marker, "ls": dash, "color": colour, "ms": 5}
        axes[0].plot(config.nfe, [row["seconds"] for row in mine], label=label, **style)
        low, middle, high = np.transpose([row["ratio"] for row in mine])
        axes[1].errorbar(
            config.nfe, middle, (middle - low, high - middle), capsize=3, **style
        )
    axes[0].set(ylabel="trace and compile (s)")
    axes[1].set(ylabel=f"ratio to {config.nfe[0]} NFE (median, quartiles)")
    axes[0].set_ylim(0)
    axes[1].set_ylim(0, max(1.5, axes[1].get_ylim()[1]))
    for axis in axes:
        axis.set(xlabel="network evaluations (NFE)", xscale="log")
        axis.set_xticks(config.nfe, [str(nfe) for nfe in config.nfe], minor=False)
        axis.set_xticks([], minor=True)
        axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(HERE / "compiling.png", dpi=120)


if __name__ == "__main__":
    main(tyro.cli(Config))

"""The tables, the sentences and the figure of the memory of a solve."""

from pathlib import Path
from typing import Any

from experiments import harness
from experiments.benchmarks import programs
from experiments.benchmarks.memory.measure import (
    KEEPING,
    RECOMPUTING,
    SOLVE,
    SOLVERS,
    WINDOWS,
    Config,
)
from experiments.harness import figures, pages

HERE = Path(__file__).parent

Peaks = dict[tuple[str, str, int], int]
"""Bytes by program, solver and NFE."""


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    result = harness.load(HERE / "results.json")
    rows, state = result["rows"], result["state_bytes"]
    peak = {(r["program"], r["solver"], r["nfe"]): r["bytes"] for r in rows}
    lines = []
    for program in programs.PROGRAMS:
        lines += [*program_table(config, program, peak, state), ""]
    lines += [
        *windows_table(config, rows, peak, state),
        "",
        verdict(config, peak),
        "",
        f"{config.model} U-Net, batch {config.batch}, float32; a state is "
        f"{state / 2**20:.3g} MiB. {result['machine']}.",
    ]
    pages.write(HERE, "memory", lines)
    draw(config, peak)


def program_table(config: Config, program: str, peak: Peaks, state: int) -> list[str]:
    """Memory of one program by solver and NFE, and how it grows."""
    first, last = config.nfe[0], config.nfe[-1]
    columns = [f"{nfe} NFE" for nfe in config.nfe]
    columns += [f"{last} over {first}", "states more per NFE"]
    body = []
    for name in SOLVERS:
        line = [peak[program, name, nfe] for nfe in config.nfe]
        more = (line[-1] - line[0]) / (last - first) / state
        cells: list[Any] = [size / 2**20 for size in line]
        body.append((name, [*cells, f"{line[-1] / line[0]:.2f}", more]))
    return pages.table(f"{program}, MiB", columns, body)


def windows_table(
    config: Config, rows: list[harness.Row], peak: Peaks, state: int
) -> list[str]:
    """Memory of a solve beyond Euler's by how far it looks back."""
    nfe = config.windows_nfe
    least = peak[SOLVE, "euler", nfe]
    body = []
    for name in WINDOWS:
        row = next(r for r in rows if (r["solver"], r["nfe"]) == (name, nfe))
        older = sum(max(width - 1, 0) for width in row["seen"])
        body.append((name, [*row["seen"], older, (row["bytes"] - least) / state]))
    columns = ("states seen", "velocities seen", "older ones kept")
    columns += ("memory beyond Euler's, states",)
    return pages.table(f"a solve of {nfe} NFE looks back", columns, body)


def verdict(config: Config, peak: Peaks) -> str:
    """How the gradient's memory grows with NFE in both modes."""
    first, last = config.nfe[0], config.nfe[-1]
    growth = lambda program, name: (
        peak[program, name, last] / peak[program, name, first]
    )
    worst = max(growth(RECOMPUTING, name) for name in SOLVERS if name != "dense")
    kept = min(growth(KEEPING, name) for name in SOLVERS)
    return (
        f"From {first} to {last} NFE, {last // first} times as many, the gradient with "
        f"recomputing takes at most {worst:.2f} times the memory (dense: "
        f"{growth(RECOMPUTING, 'dense'):.2f}), "
        f"with activations kept at least {kept:.1f} times."
    )


def draw(config: Config, peak: Peaks) -> None:
    """Memory of each program against NFE, by solver."""
    mib = lambda *key: {nfe: peak[*key, nfe] / 2**20 for nfe in config.nfe}
    found = {
        program: {name: mib(program, name) for name in SOLVERS}
        for program in programs.PROGRAMS
    }
    figure = figures.chart(
        found,
        xlabel="network evaluations (NFE)",
        ylabel="peak memory of temporaries (MiB)",
        log="xy",
        xticks=config.nfe,
    )
    figures.save(figure, HERE / "memory.png")

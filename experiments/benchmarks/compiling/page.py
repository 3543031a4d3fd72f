"""The tables and the figure of compile time and traces."""

from pathlib import Path

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks.compiling.measure import SUBJECTS, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    result = harness.load(HERE / "results.json")
    rows = result["rows"]
    of = lambda label, key: [row[key] for row in rows if row["subject"] == label]
    columns = [f"{nfe} NFE" for nfe in config.nfe]
    first, last = config.nfe[0], config.nfe[-1]
    table = lambda corner, cells: pages.table(
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
        *pages.table("seconds, median", columns, parts),
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
        f"{result['machine']}.",
    ]
    pages.write(HERE, "compiling", lines)
    draw(config, rows)


def draw(config: Config, rows: list[harness.Row]) -> None:
    """Seconds against NFE, and their ratio to the fewest NFE."""
    figure, ((left, right),) = bj.plots.panels(1, 2, size=(4.5, 3.6))
    looks = bj.plots.looks(SUBJECTS)
    for label, look in looks.items():
        mine = [row for row in rows if row["subject"] == label]
        left.plot(config.nfe, [row["seconds"] for row in mine], label=label, **look)
        low, middle, high = np.transpose([row["ratio"] for row in mine])
        bars = (middle - low, high - middle)
        right.errorbar(config.nfe, middle, bars, capsize=3, **look)
    ratio = f"ratio to {config.nfe[0]} NFE (median, quartiles)"
    cost = {"xlabel": "network evaluations (NFE)", "log": "x", "xticks": config.nfe}
    bj.plots.dress(left, ylabel="trace and compile (s)", **cost)
    bj.plots.dress(right, ylabel=ratio, **cost)
    left.set_ylim(0)
    right.set_ylim(0, max(1.5, right.get_ylim()[1]))
    bj.plots.legend(figure)
    figures.save(figure, HERE / "compiling.png")

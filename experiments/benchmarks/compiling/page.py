"""The tables and the figure of compile time and traces."""

from pathlib import Path

import numpy as np

from experiments import harness
from experiments.benchmarks.compiling.measure import SUBJECTS, Config
from experiments.harness import figures, pages
from experiments.harness.figures import Look

HERE = Path(__file__).parent
LOOKS = (Look("tab:blue", "o"), Look("black", "s", "--"), Look("tab:red", "^", "-."))


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
    figure, ((left, right),) = figures.panels(1, 2, (9, 3.6))
    for label, look in zip(SUBJECTS, LOOKS, strict=True):
        mine = [row for row in rows if row["subject"] == label]
        seconds = [row["seconds"] for row in mine]
        left.plot(config.nfe, seconds, label=label, **look.options())
        low, middle, high = np.transpose([row["ratio"] for row in mine])
        bars = (middle - low, high - middle)
        right.errorbar(config.nfe, middle, bars, capsize=3, **look.options())
    left.set(ylabel="trace and compile (s)")
    left.set_ylim(0)
    right.set(ylabel=f"ratio to {config.nfe[0]} NFE (median, quartiles)")
    right.set_ylim(0, max(1.5, right.get_ylim()[1]))
    for axis in (left, right):
        axis.set(xlabel="network evaluations (NFE)", xscale="log")
        figures.ticks(axis.xaxis, config.nfe)
        axis.grid(alpha=0.3)
    figures.legend(figure, [left], fontsize=10)
    figures.save(figure, HERE / "compiling.png")

"""The tables and the figure of memory and time of the losses."""

from pathlib import Path

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks.losses.measure import MODES, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
FLAT = "RMSE bound, one step at a time"


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    result = harness.load(HERE / "results.json")
    pages.write(HERE, "losses", text(config, result["rows"], result["machine"]))
    draw(config, result["rows"])


def text(config: Config, rows: list[harness.Row], machine: str) -> list[str]:
    """The lines of the page."""
    value = {(r["mode"], r["n"]): r for r in rows}
    columns = [f"n = {n}" for n in config.steps]
    body = lambda key, unit: [
        (mode, [unit * value[mode, n][key] for n in config.steps]) for mode in MODES
    ]
    first, last = config.steps[0], config.steps[-1]
    growth = value[FLAT, last]["peak_mib"] / value[FLAT, first]["peak_mib"]
    return [
        *pages.table("peak memory, MiB", columns, body("peak_mib", 1.0)),
        "",
        *pages.table("time per iteration, ms", columns, body("seconds", 1e3)),
        "",
        f"{FLAT}: peak memory at n = {last} is {growth:.3f} times that at n = {first}.",
        "",
        f"{config.model} U-Net, RK2, batch {config.batch}, float32; medians of "
        f"{config.rounds} rounds. {machine}.",
    ]


def draw(config: Config, rows: list[harness.Row]) -> None:
    """Memory and time against the number of steps."""
    figure, axes = bj.plots.panels(1, 2, size=(4.5, 4.6))
    kinds = {"peak_mib": "peak memory (MiB)", "seconds": "time per iteration (ms)"}
    units = {"peak_mib": 1.0, "seconds": 1e3}
    for axis, (key, label) in zip(axes[0], kinds.items(), strict=True):
        found: dict[str, dict[int, float]] = {}
        for row in rows:
            found.setdefault(row["mode"], {})[row["n"]] = units[key] * row[key]
        bj.plots.draw(axis, figures.lines(found), bj.plots.looks(MODES))
        steps = {"xlabel": "steps n", "xticks": config.steps}
        bj.plots.dress(axis, ylabel=label, log="y", **steps)
    bj.plots.legend(figure, columns=2)
    figures.save(figure, HERE / "losses.png")

"""The tables and the figure of memory and time of the losses."""

from pathlib import Path

from experiments import harness
from experiments.benchmarks.losses.measure import MODES, Config
from experiments.harness import figures, pages
from experiments.harness.figures import Look

HERE = Path(__file__).parent
FLAT = "RMSE bound, one step at a time"
LOOKS = dict(
    zip(
        MODES,
        (
            Look("tab:blue", "o", "-"),
            Look("tab:blue", "s", "--"),
            Look("0.4", "^", "-"),
            Look("0.4", "v", "--"),
            Look("tab:red", "D", "-."),
            Look("tab:red", "P", ":"),
            Look("black", "x", ":"),
        ),
        strict=True,
    )
)


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    result = harness.load(HERE / "results.json")
    rows = result["rows"]
    value = {(r["mode"], r["n"]): r for r in rows}
    columns = [f"n = {n}" for n in config.steps]
    body = lambda key, unit: [
        (mode, [unit * value[mode, n][key] for n in config.steps]) for mode in MODES
    ]
    first, last = config.steps[0], config.steps[-1]
    growth = value[FLAT, last]["peak_mib"] / value[FLAT, first]["peak_mib"]
    lines = [
        *pages.table("peak memory, MiB", columns, body("peak_mib", 1.0)),
        "",
        *pages.table("time per iteration, ms", columns, body("seconds", 1e3)),
        "",
        f"{FLAT}: peak memory at n = {last} is {growth:.3f} times that at n = {first}.",
        "",
        f"{config.model} U-Net, RK2, batch {config.batch}, float32; medians of "
        f"{config.rounds} rounds. {result['machine']}.",
    ]
    pages.write(HERE, "losses", lines)
    draw(config, rows)


def draw(config: Config, rows: list[harness.Row]) -> None:
    """Memory and time against the number of steps."""
    figure, axes = figures.panels(1, 2, (9, 4.6))
    kinds = (
        ("peak_mib", 1.0, "peak memory (MiB)"),
        ("seconds", 1e3, "time per iteration (ms)"),
    )
    for axis, (key, unit, label) in zip(axes[0], kinds, strict=True):
        lines: dict[str, dict[int, float]] = {}
        for row in rows:
            lines.setdefault(row["mode"], {})[row["n"]] = unit * row[key]
        figures.draw(axis, lines, LOOKS, ms=6)
        figures.decorate(axis, xlabel="steps n", ylabel=label, yscale="log")
        axis.set_xticks(config.steps)
    figures.legend(figure, axes[0], 2)
    figures.save(figure, HERE / "losses.png")

"""The table of how long commands take to answer."""

from pathlib import Path

from experiments import harness
from experiments.benchmarks.startup.measure import BASE, Config
from experiments.harness import pages

HERE = Path(__file__).parent


def write(config: Config) -> None:
    """Write the page from the stored results."""
    del config  # the results have that of their measurement
    result = harness.load(HERE / "results.json")
    body = [
        (name(row["process"]), [row["seconds"], *row["ratio"]])
        for row in result["rows"]
    ]
    columns = ("seconds, median", "over the first, lower quartile", "median")
    columns += ("upper quartile",)
    lines = [
        *pages.table("process", columns, body),
        "",
        f"{result['rounds']} rounds in turn. {result['machine']}.",
    ]
    pages.write(HERE, "startup", lines)


def name(process: str) -> str:
    """What a user would type."""
    return f"`{process}`" if process == BASE else f"`bespoke {process}`"

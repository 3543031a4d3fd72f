"""The table of start times."""

from pathlib import Path

from experiments import harness
from experiments.benchmarks.startup.measure import BASE, Config
from experiments.harness import pages

HERE = Path(__file__).parent


def write(config: Config) -> None:
    """Write the page from the stored results."""
    result = harness.load(HERE / "results.json")
    prefix = lambda row: "" if row["process"] == BASE else "bespoke "
    body = [
        (f"`{prefix(row)}{row['process']}`", [row["seconds"], *row["ratio"]])
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

"""The table of the peak memory of fits."""

from pathlib import Path

from experiments import harness
from experiments.benchmarks.fit_memory.measure import ONCE, Config
from experiments.harness import pages

HERE = Path(__file__).parent


def write(config: Config) -> None:
    """Write the page from the stored results."""
    results = config.results()
    once = [results.get(work=work) for work in ONCE]
    fits = [results.get(work="fit", nfe=nfe) for nfe in config.nfe]
    names = ("one evaluation", "one evaluation and its reverse pass")
    names += tuple(f"`tailor` at {nfe} NFE" for nfe in config.nfe)
    gib = lambda row: f"{row['bytes'] / 2**30:.2f}"
    body = [
        (
            name,
            [
                gib(row),
                f"{row['bytes'] / once[1]['bytes']:.2f}",
                row.get("paths solved", "-"),
                row.get("steps", "-"),
                f"{row['evaluations']:,}" if "evaluations" in row else "-",
            ],
        )
        for name, row in zip(names, [*once, *fits], strict=True)
    ]
    columns = ("peak of the process, GiB", "over one reverse pass", "paths")
    columns += ("steps of the descent", "evaluations")
    growth = fits[-1]["bytes"] / fits[0]["bytes"]
    lines = [
        *pages.table("process", columns, body),
        "",
        f"At {config.nfe[-1]} NFE the whole of `tailor` takes {growth:.2f} times the "
        f"memory that it takes at {config.nfe[0]}. "
        f"{once[0]['parameters'] / 1e6:.2g} million parameters, batches of 64 samples "
        f"of 32 x 32 x 3, float32. {results.machine}.",
    ]
    pages.write(HERE, "fit_memory", lines)

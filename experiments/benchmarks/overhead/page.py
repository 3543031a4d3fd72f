"""The tables and the sentences of what a solve costs over its calls."""

from pathlib import Path

from experiments import harness
from experiments.benchmarks.overhead.measure import Config
from experiments.harness import pages

HERE = Path(__file__).parent
GOAL, LONG = 1.05, 1e-3  # of the median, where a call takes as many seconds


def write(config: Config) -> None:
    """Write the page from the stored results."""
    del config  # the rows say everything
    result = harness.load(HERE / "results.json")
    rows = result["rows"]
    columns = ("lower quartile", "median", "upper quartile")
    columns += ("over one compiled loop, median", "µs a step", "µs a call")
    lines = []
    for label in dict.fromkeys(row["subject"] for row in rows):
        mine = [row for row in rows if row["subject"] == label]
        body = []
        for row in mine:
            micro = [f"{1e6 * row[key]:,.3g}" for key in ("solve", "calls")]
            cells = [*row["over_calls"], row["over_loop"][1]]
            if row["solve"] >= LONG:
                micro = [f"{1e6 * row[key]:,.0f}" for key in ("solve", "calls")]
            body.append((f"{row['solver']}, {row['nfe']} NFE", [*cells, *micro]))
        lines += pages.table(f"{label}: solve over bare calls", columns, body)
        first = mine[0]
        lines += ["", f"Batch {first['batch']}, {first['rounds']} rounds.", ""]
    lines += [verdict(rows), "", per_step(rows), "", f"Hardware: {result['machine']}."]
    pages.write(HERE, "overhead", lines)


def verdict(rows: list[harness.Row]) -> str:
    """Against the goal, where a call is long enough for it."""
    long = [row for row in rows if row["calls"] >= LONG]
    said = []
    for key, name in (("over_calls", "bare calls"), ("over_loop", "one compiled loop")):
        ratios = [row[key][1] for row in long]
        met = sum(ratio <= GOAL for ratio in ratios)
        said.append(
            f"over {name} the median is {min(ratios):.3f} to {max(ratios):.3f}, at "
            f"most {GOAL} in {met} of {len(ratios)} rows"
        )
    missed = dict.fromkeys(r["subject"] for r in long if r["over_calls"][1] > GOAL)
    if missed:
        said.append(f"over bare calls it is missed by: {', '.join(missed)}")
    return f"Where a call takes 1 ms or more: {'; '.join(said)}."


def per_step(rows: list[harness.Row]) -> str:
    """Of a short call: what a further step costs, and what a solve costs once."""
    label = rows[-1]["subject"]
    few, many = (
        row for row in rows if row["subject"] == label and row["solver"] == "midpoint"
    )
    micro = [1e6 * row["nfe"] * row["solve"] for row in (few, many)]
    step = (micro[1] - micro[0]) / (many["nfe"] - few["nfe"])
    return (
        f"{label}, midpoint: from {few['nfe']} to {many['nfe']} NFE a solve goes from "
        f"{micro[0]:.0f} to {micro[1]:.0f} µs, so that a further step takes {step:.1f} "
        f"µs and what is done once a solve {micro[0] - few['nfe'] * step:.0f} µs."
    )

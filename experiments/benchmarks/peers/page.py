"""The tables, the sentences and the figure of the comparison with other programs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks.peers.pairs import PAIRS, Pair
from experiments.harness import figures, pages

HERE = Path(__file__).parent
GOAL = 5  # times faster than theirs
COMPILED = "ratio_compiled"


Item = tuple[Pair, harness.Row]
"""A pair and its row of results."""


@dataclass(frozen=True)
class Config:
    seed: int = 0  # of the mixture and of the noise
    noises: int = 1024
    nfes: tuple[int, ...] = (8, 20, 40)
    timed_nfe: int = 20
    batches: tuple[int, ...] = (64, 512, 4096)
    rounds: int = 15
    compiled: bool = True  # needs a C++ compiler
    exact: float = 1e-10  # tolerance of the exact solutions


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    del config  # the results have that of their measurement
    result = harness.load(HERE / "results.json")
    known = {row["pair"]: row for row in result["rows"]}
    pairs = [(pair, known[pair.name]) for pair in PAIRS if pair.name in known]
    pages.write(HERE, "peers", text(result, pairs))
    draw(result["config"], pairs)


def text(result: dict[str, Any], pairs: list[Item]) -> list[str]:
    """The lines of the page."""
    config = result["config"]
    same = [item for item in pairs if item[0].same]
    other = [item for item in pairs if not item[0].same]
    largest = lambda row, key: max(a[key] for a in row["accuracy"])
    return [
        f"{len(same)} pairs are the same method. The largest difference between two "
        f"samples of any of them is "
        f"{max(largest(row, 'difference_max') for _, row in same):.1e} and the largest "
        f"median {max(largest(row, 'difference_median') for _, row in same):.1e} "
        f"({config['noises']} noises, float32; the data's coordinates are of order 1). "
        f"The two fields differ by {result['field_difference']:.1e} of their size.",
        "",
        *accuracy(config, same, largest),
        "",
        f"{len(other)} pairs are not the same method:",
        "",
        *accuracy(config, other, largest),
        "",
        *(f"- {label(pair)}: {pair.why}" for pair, _ in other),
        "",
        "Why the others agree:",
        "",
        *reasons(same),
        "",
        *speed(config, pairs),
        "",
        *one_call(result["one_call"]),
        "",
        f"{result['machine']}. Python packages of the group `peers`; a CPU build of "
        "torch suffices.",
    ]


def label(pair: Pair) -> str:
    return f"{pair.theirs} and {pair.ours}"


def accuracy(config: dict, pairs: list[Item], largest: Callable) -> list[str]:
    """RMSE to the exact solution of both at every NFE, and the differences."""
    columns = [f"{who}, {n}" for n in config["nfes"] for who in ("theirs", "ours")]
    columns += ["NFE"] + ["median difference", "largest"]
    body = []
    for pair, row in pairs:
        cells: list[Any] = []
        for a in row["accuracy"]:
            cells += [a["rmse"], a["rmse_ours"]]
        cells.append(", ".join(spent(a) for a in row["accuracy"]))
        differences = ("difference_median", "difference_max")
        cells += [f"{largest(row, key):.0e}" for key in differences]
        body.append((label(pair), cells))
    return pages.table("RMSE to the exact solution, at most so many NFE", columns, body)


def spent(a: dict) -> str:
    """NFE of theirs, and of ours where that is another number."""
    return f"{a['nfe']}" + (f" ({a['nfe_ours']})" if a["nfe"] != a["nfe_ours"] else "")


def reasons(pairs: list[Item]) -> list[str]:
    """Each reason once, with the samplers that it holds for."""
    known: dict[str, list[str]] = {}
    for pair, _ in pairs:
        known.setdefault(pair.why, []).append(pair.theirs)
    return [f"- {why} ({'; '.join(names)})" for why, names in known.items()]


def speed(config: dict, pairs: list[Item]) -> list[str]:
    batches = config["batches"]
    compiled = COMPILED in pairs[0][1]["speed"][0]
    columns = ["theirs, ms", "ours, ms", *(f"ratio, batch {b}" for b in batches)]
    if compiled:
        columns += [f"field compiled, batch {b}" for b in batches]
    body = []
    for pair, row in pairs:
        first = row["speed"][0]
        cells: list[Any] = [1e3 * first["theirs"], 1e3 * first["ours"]]
        cells += [s["ratio_theirs"] for s in row["speed"]]
        if compiled:
            cells += [s[COMPILED] for s in row["speed"]]
        body.append((label(pair), cells))
    lines = pages.table(
        f"Seconds per solve, theirs / ours, {config['timed_nfe']} NFE; the first two "
        f"columns at batch {batches[0]}", columns, body,
    )  # fmt: skip
    compiling = np.median([s["compile"] for _, row in pairs for s in row["speed"]])
    lines += ["", *(verdict(pairs, i, b, "ratio_theirs", "") for i, b in
                    enumerate(batches))]  # fmt: skip
    if compiled:
        note = ", their field compiled by torch.compile"
        lines += [verdict(pairs, i, b, COMPILED, note) for i, b in enumerate(batches)]
    return lines + [
        f"- Medians of {config['rounds']} runs in turn. Compiling ours takes "
        f"{compiling:.2f} s (median), once for all coefficients of as many rows."
    ]


def one_call(rows: list[harness.Row]) -> list[str]:
    """The field alone: what is left of a ratio once the loop costs nothing."""
    known = [key for key in rows[0] if key != "batch"]
    body = [(name, [row[name] for row in rows]) for name in known]
    columns = [f"batch {row['batch']}" for row in rows]
    return pages.table("One call of the field alone, microseconds", columns, body)


def verdict(pairs: list[Item], index: int, batch: int, key: str, note: str) -> str:
    ratios = sorted((row["speed"][index][key], label(pair)) for pair, row in pairs)
    below = sum(ratio < GOAL for ratio, _ in ratios)
    reached = "all" if not below else f"{len(ratios) - below} of {len(ratios)}"
    return (
        f"- Batch {batch}{note}: {reached} at least {GOAL} times; least "
        f"{ratios[0][0]:.1f} ({ratios[0][1]}), median "
        f"{np.median([ratio for ratio, _ in ratios]):.1f}."
    )


def draw(config: dict[str, Any], pairs: list[Item]) -> None:
    """Errors of both, and the ratio of their times."""
    figure, ((left, right),) = figures.uneven(1, (1, 1.15), (12, 7.6))
    draw_errors(left, pairs)
    draw_ratios(right, config, pairs)
    figures.save(figure, HERE / "peers.png")


def draw_errors(axis: figures.Axes, pairs: list[Item]) -> None:
    """The error of ours against that of theirs; hollow where methods differ."""
    seen = set()
    looks = bj.plots.looks(pair.program for pair, _ in pairs)
    for pair, row in pairs:
        look, kind = looks[pair.program], (pair.program, pair.same)
        note = "" if pair.same else ", another method"
        fill = look.get("color") if pair.same else "white"
        theirs, ours = (
            [a[key] for a in row["accuracy"]] for key in ("rmse", "rmse_ours")
        )
        label = None if kind in seen else f"{pair.program}{note}"
        style = {**look, "ls": "", "ms": 7, "mfc": fill, "mew": 1.4, "alpha": 0.8}
        axis.plot(theirs, ours, label=label, **style)
        seen.add(kind)
    axis.axline((1, 1), slope=1, color="black", ls="--", lw=1, label="equal error")
    title = "Error at equal NFE, to the exact solution"
    theirs, ours = "RMSE of theirs", "RMSE of ours"
    bj.plots.dress(axis, title=title, xlabel=theirs, ylabel=ours, log="xy")
    axis.legend(fontsize=8)


def draw_ratios(axis: figures.Axes, config: dict[str, Any], pairs: list[Item]) -> None:
    """How many times longer theirs takes, by batch; hollow with a compiled field."""
    rows = np.arange(len(pairs))[::-1]
    marks = zip(config["batches"], "ods^v", ("black", "0.35", "0.6"), strict=False)
    for i, (batch, marker, colour) in enumerate(marks):
        for key, face, note in (
            ("ratio_theirs", colour, ""),
            (COMPILED, "white", ", field compiled"),
        ):
            if key in pairs[0][1]["speed"][i]:
                values = [row["speed"][i][key] for _, row in pairs]
                style: dict[str, Any] = {"color": colour, "marker": marker, "ls": ""}
                label = f"batch {batch}{note}"
                axis.plot(values, rows, ms=5, mfc=face, label=label, **style)
    axis.axvline(GOAL, color="tab:red", ls="--", label=f"goal: {GOAL}")
    axis.axvline(1, color="black", lw=0.8)
    axis.set_yticks(rows, [short(pair) for pair, _ in pairs], fontsize=7)
    title = f"Time at {config['timed_nfe']} NFE"
    xlabel = "seconds per solve, theirs / ours"
    bj.plots.dress(axis, title=title, xlabel=xlabel, log="x")
    axis.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.4, -0.07))


def short(pair: Pair) -> str:
    """As `theirs`, in the width of an axis."""
    hidden = ("clip_sample", "lower_order_final")
    words = [
        key.split("_")[1] if value is True else str(value)
        for key, value in pair.options.items()
        if key not in hidden
    ]
    if not pair.same:
        words.append("another method")
    return pair.theirs.split(" (")[0] + (f" ({', '.join(words)})" if words else "")

"""The tables on the grid's k, the end time and a biased network."""

from pathlib import Path

from experiments import harness
from experiments.harness import pages
from experiments.recursive_difference import subjects
from experiments.recursive_difference.effects.measure import (
    ENDS,
    FACTORS,
    NAMES,
    RULES,
    Config,
    K,
)

HERE = Path(__file__).parent
TITLES = {"rmse": "RMSE", "frechet": "Frechet distance", "spread": "spread"}


def write(config: Config) -> None:
    """Write the page from the stored results."""
    stored = harness.stored(config.results, NAMES)
    lines: list[str] = []
    for name, results in stored.items():
        lines += page_of(config, name, results)
    lines += [
        f"{config.samples} noises, seed {config.setup.seed + 1000}; NSR grids. "
        f"{harness.hardware(stored.values())}."
    ]
    pages.write(HERE, "effects", lines)


def figures_of(name: str) -> tuple[str, ...]:
    """The figures that samples of a model are judged by."""
    return ("rmse", "frechet") if name in subjects.DIGITS else ("rmse",)


def page_of(config: Config, name: str, results: harness.Results) -> list[str]:
    """The tables and sentences of one model."""
    lines = []
    for figure in figures_of(name):
        lines += [*k_table(config, name, results, figure), ""]
    lines += [k_verdict(name, results), ""]
    if any(row["kind"] == "end" for row in results.rows):
        for figure in figures_of(name):
            lines += [*end_table(config, name, results, figure), ""]
        if name in subjects.DIGITS:
            lines += [end_verdict(name, results), ""]
    for figure in (*figures_of(name), "spread"):
        lines += [*bias_table(config, name, results, figure), ""]
    return [*lines, bias_verdict(config, name, results), ""]


def k_table(
    config: Config, name: str, results: harness.Results, figure: str
) -> list[str]:
    """A figure of every rule at every k."""
    at = lambda label, k: results.get(kind="k", label=label, k=k)[figure]
    body = [(label, [at(label, k) for k in K]) for label in RULES]
    title = f"{name}, {config.k_nfe} NFE: {TITLES[figure]} at k"
    return pages.table(title, K, body)


def k_verdict(name: str, results: harness.Results) -> str:
    """Spread of the RMSE over the k that SciRE-Solver recommends, and the best k."""
    parts = []
    for label in RULES:
        rows = {k: results.get(kind="k", label=label, k=k)["rmse"] for k in K}
        inside = [rows[k] for k in K if 2 <= k <= 7]
        best = min(rows, key=rows.__getitem__)
        parts.append(
            f"{label} {max(inside) / min(inside):.2f} (lowest at k = {best:g})"
        )
    return (
        f"{name}: largest over smallest RMSE for k from 2 to 7, the recommended range: "
        f"{', '.join(parts)}."
    )


def end_table(
    config: Config, name: str, results: harness.Results, figure: str
) -> list[str]:
    """A figure of every rule at every NFE and end time."""
    at = lambda label, n, end: results.get(kind="end", label=label, nfe=n, end=end)
    pairs = [(nfe, end) for nfe in config.nfe for end in ENDS]
    body = [(label, [at(label, *pair)[figure] for pair in pairs]) for label in RULES]
    columns = [f"{nfe} NFE, {end:g}" for nfe, end in pairs]
    return pages.table(f"{name}: {TITLES[figure]} at the end 1 - ...", columns, body)


def end_verdict(name: str, results: harness.Results) -> str:
    """The exact samples' Frechet distance at both ends."""
    exact = lambda end: results.get(kind="end", label="exact", nfe=0, end=end)
    at = [exact(end)["frechet"] for end in ENDS]
    return (
        f"{name}: the exact samples' Frechet distance is {at[0]:.3g} at the "
        f"end 1 - {ENDS[0]:g} and {at[1]:.3g} at 1 - {ENDS[1]:g}."
    )


def bias_row(results: harness.Results, label: str, nfe: int, factor: float) -> dict:
    """The row of a rule, or of the exact solution, of a biased network."""
    return results.get(kind="bias", label=label, nfe=nfe, factor=factor)


def bias_table(
    config: Config, name: str, results: harness.Results, figure: str
) -> list[str]:
    """A figure of every rule at every NFE and factor."""
    pairs = [(nfe, factor) for nfe in config.nfe for factor in FACTORS]
    exact = [bias_row(results, "exact", 0, factor)[figure] for _, factor in pairs]
    rows = lambda label: [bias_row(results, label, *pair)[figure] for pair in pairs]
    body = [("exact", exact), *((label, rows(label)) for label in RULES)]
    columns = [f"{nfe} NFE, {factor:g}" for nfe, factor in pairs]
    title = f"{name}: {TITLES[figure]} with the noise prediction times"
    return pages.table(title, columns, body)


def bias_verdict(config: Config, name: str, results: harness.Results) -> str:
    """Where RD brings samples of a biased network nearer to the unbiased ones."""
    parts = []
    for factor in FACTORS:
        for figure in figures_of(name):
            at = lambda label, n, f=factor, k=figure: bias_row(results, label, n, f)[k]
            exact = at("exact", 0)
            for rule in ("scire_v1_2", "scire_v1_2m"):
                rd = {n: at(f"{rule} rd", n) for n in config.nfe}
                wins = [n for n in config.nfe if rd[n] < at(f"{rule} fd", n)]
                over = [n for n in config.nfe if rd[n] < exact and factor != 1]
                below = f" (below exact at {pages.listed(over)})" if over else ""
                parts.append(
                    f"{factor:g}, {TITLES[figure]}, {rule}: {pages.listed(wins)}{below}"
                )
    return (
        f"{name}: NFE of {pages.listed(config.nfe)} at which RD is below FD, by "
        f"factor: {'; '.join(parts)}."
    )

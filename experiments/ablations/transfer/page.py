"""The tables, the sentences and the figure of transferred solvers."""

from pathlib import Path

import bespoke_jax as bj
from experiments import harness
from experiments.ablations.transfer.measure import PAIRS, Config, Pair
from experiments.harness import figures, pages

HERE = Path(__file__).parent
KINDS = {"native": "native fit", "transferred": "transferred", "base": "RK2 (midpoint)"}
LABELS = {
    kind + suffix: label + note
    for kind, label in KINDS.items()
    for suffix, note in (("", ""), ("_changed", ", after change of schedule"))
    if kind + suffix != "native_changed"
}

Curves = dict[str, dict[int, float]]


def curves(rows: list[harness.Row], nfe: tuple[int, ...]) -> Curves:
    """NFE to RMSE for each kind that was measured."""
    found = {(row["kind"], row["nfe"]): row["rmse"] for row in rows}
    return {
        kind: {n: found[kind, n] for n in nfe}
        for kind in LABELS
        if all((kind, n) in found for n in nfe)
    }


def ratios(above: dict[int, float], below: dict[int, float]) -> list[float]:
    """Quotients at each NFE."""
    return [above[n] / below[n] for n in above]


def series(values: list[float]) -> str:
    """Numbers to two digits after the point."""
    return pages.listed(f"{value:.2f}" for value in values)


def where_lower(values: list[float], nfe: tuple[int, ...]) -> str:
    """At which NFE a ratio is below 1, in words."""
    lower = [str(n) for n, value in zip(nfe, values, strict=True) if value < 1]
    if len(lower) in (0, len(nfe)):
        return "lower at every one" if lower else "lower at none"
    return f"lower at {', '.join(lower)}, not at the others"


def verdict(pair: Pair, columns: Curves, nfe: tuple[int, ...]) -> list[str]:
    """One sentence for each way of transfer, and one for the change by itself."""
    lines, at = [], pages.listed(nfe)
    for kind, how in (
        ("transferred", "as it is"),
        ("transferred_changed", "after the change of schedule"),
    ):
        if kind in columns:
            to_base = ratios(columns[kind], columns["base"])
            to_native = ratios(columns[kind], columns["native"])
            lines.append(
                f"**The solver of {pair.source} on {pair.target}, {how}**: at NFE {at} "
                f"its RMSE is {series(to_base)} times that of midpoint "
                f"({where_lower(to_base, nfe)}) and {series(to_native)} times that of "
                f"the native fit ({where_lower(to_native, nfe)})."
            )
    if "base_changed" in columns:
        alone = ratios(columns["base_changed"], columns["base"])
        lines.append(
            f"The change of schedule alone, with midpoint: {series(alone)} times the "
            f"RMSE of midpoint without it ({where_lower(alone, nfe)})."
        )
    return lines


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    stored = harness.stored(config.results, PAIRS)
    found = {k: curves(each.rows, config.nfe_of(k)) for k, each in stored.items()}
    found = {name: columns for name, columns in found.items() if columns}
    lines = [
        "RMSE to the exact solution of the target model (pixels on [-1, 1]), mean over "
        "its test noises. After a change of schedule the solver of the source sees the "
        "target's field on the source's path (theorem 2.3).",
        "",
    ]
    for name, columns in found.items():
        pair, nfe = PAIRS[name], config.nfe_of(name)
        body = [(LABELS[kind], list(line.values())) for kind, line in columns.items()]
        corner = f"solver of {pair.source} on {pair.target}: RMSE at NFE"
        lines += [*pages.table(corner, nfe, body), ""]
        for sentence in verdict(pair, columns, nfe):
            lines += [sentence, ""]
    endpoint = max(row["endpoint"] for name in found for row in stored[name].rows)
    fits = pages.fits(config.setup, endpoint, what="RK2-Bespoke, direct RMSE, ")
    lines += [f"{fits} {harness.hardware(stored.values())}."]
    pages.write(HERE, "transfer", lines)
    title = lambda pair: f"{pair.target}, solver of {pair.source}"
    panels = {title(PAIRS[k]): figures.lines(v, LABELS) for k, v in found.items()}
    figure = bj.plots.error_against_nfe(panels, ylabel=figures.ERROR)
    figures.save(figure, HERE / "transfer.png")

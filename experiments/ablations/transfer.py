"""How well a solver fitted on one model works on another, RK2-Bespoke, direct RMSE.

    uv run python -m experiments.ablations.transfer

Between schedules, fm_ot to fm_cs and back: the solver as it is, and on the target's
field after a change to the schedule of the source (theorem 2.3: the same noise gives
the same sample). Between resolutions: the 8x8 solver of fm_ot on the 16x16 model. All
are compared on test paths of the target with its native fit and with midpoint, the
base, before and after the change. The fits of 8x8 models are those of
`experiments.digits.solvers`. Interrupted, the same command goes on where it stopped;
`--pairs fm_ot-fm_cs` does one pair, the page is written from all that are there. Writes
`results/transfer-*.json`, the block "transfer" of README.md and `transfer.png`.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

matplotlib.use("Agg")
HERE = Path(__file__).parent
STAGES = 2  # of midpoint
LABELS = {
    "native": "native fit",
    "transferred": "transferred",
    "transferred_changed": "transferred, after change of schedule",
    "base": "RK2 (midpoint)",
    "base_changed": "RK2 (midpoint), after change of schedule",
}


class Pair(NamedTuple):
    """Whose solver is used on which model."""

    source: str
    target: str
    change: bool  # whether the schedules differ


PAIRS = {
    f"{pair.source}-{pair.target}": pair
    for pair in (
        Pair("fm_ot", "fm_cs", change=True),
        Pair("fm_cs", "fm_ot", change=True),
        Pair("fm_ot", "fm_ot_16", change=False),
    )
}


@dataclass(frozen=True)
class Config:
    pairs: tuple[str, ...] = tuple(PAIRS)
    nfe: tuple[int, ...] = (4, 8, 16, 20)
    nfe_16: tuple[int, ...] = (4, 8, 16)  # between resolutions: costs twice as much
    setup: harness.Setup = harness.Setup()


def nfe_of(config: Config, pair: Pair) -> tuple[int, ...]:
    return config.nfe if pair.change else config.nfe_16


def results_of(config: Config, name: str) -> harness.Results:
    settings = {"nfe": nfe_of(config, PAIRS[name]), **config.setup.described()}
    return harness.Results(HERE / "results" / f"transfer-{name}.json", settings)


@lru_cache
def loaded(setup: harness.Setup, name: str) -> tuple[bj.Model, harness.Truth]:
    model = models.load(name)
    return model, harness.truth(setup, model)


def fitted(setup: harness.Setup, name: str, nfe: int) -> bj.Solver:
    """The solver of a model: of the same name and settings as in `digits.solvers`."""
    model, truth = loaded(setup, name)
    family = bj.families.scale_time(nfe // STAGES, base="midpoint", end=model.end)
    fit_name = f"{name}-bespoke-midpoint-{nfe}"
    return harness.fitted(setup, model.field, truth, family, fit_name).solver


def measure(config: Config, name: str) -> None:
    results, (source, target, change) = results_of(config, name), PAIRS[name]
    model, truth = loaded(config.setup, target)
    fields = {"": model.field}
    if change:
        # Both schedules have sigma_0 = 1 and alpha_1 = 1, so both ends map exactly:
        # noises and end points of the paths of `model.field` serve for this field too.
        new = models.load(source).schedule
        fields["_changed"] = bj.fields.change_schedule(
            model.field, old=model.schedule, new=new
        )

    def one(kind: str, suffix: str, nfe: int) -> dict[str, Any]:
        if kind == "base":
            solver = bj.solvers.construct("midpoint", nfe, end=model.end)
        else:
            fit_on = target if kind == "native" else source
            solver = fitted(config.setup, fit_on, nfe)
        return {
            **harness.errors(fields[suffix], solver, truth.test),
            "endpoint": float(truth.test.certificate.endpoint),
        }

    tasks = [("native", "")] + [(k, s) for k in ("transferred", "base") for s in fields]
    for nfe in nfe_of(config, PAIRS[name]):
        for kind, suffix in tasks:
            key = {"kind": kind + suffix, "nfe": nfe}
            results.once(key, lambda task=(kind, suffix, nfe): one(*task))


def curves(rows: list[dict], nfe: tuple[int, ...]) -> dict[str, list[float]]:
    """RMSE by NFE for each kind that was measured."""
    found = {(row["kind"], row["nfe"]): row["rmse"] for row in rows}
    return {
        kind: [found[kind, n] for n in nfe]
        for kind in LABELS
        if all((kind, n) in found for n in nfe)
    }


def ratios(above: list[float], below: list[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


def series(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def where_lower(values: list[float], nfe: tuple[int, ...]) -> str:
    """At which NFE a ratio is below 1, in words."""
    lower = [str(n) for n, value in zip(nfe, values, strict=True) if value < 1]
    if len(lower) in (0, len(nfe)):
        return "lower at every one" if lower else "lower at none"
    return f"lower at {', '.join(lower)}, not at the others"


def verdict(pair: Pair, columns: dict[str, list], nfe: tuple[int, ...]) -> list[str]:
    """One sentence for each way of transfer, and one for the change by itself."""
    lines, at = [], ", ".join(map(str, nfe))
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


def write_page(config: Config) -> None:
    setup = config.setup
    stored = {}
    for name, pair in PAIRS.items():
        rows = results_of(config, name).rows
        if columns := curves(rows, nfe_of(config, pair)):
            stored[name] = columns, max(row["endpoint"] for row in rows)
    lines = [
        "RMSE to the exact solution of the target model (pixels on [-1, 1]), mean over "
        "its test noises. After a change of schedule the solver of the source sees the "
        "target's field on the source's path (theorem 2.3).",
        "",
    ]
    for name, (columns, _) in stored.items():
        pair, nfe = PAIRS[name], nfe_of(config, PAIRS[name])
        body = [(LABELS[kind], line) for kind, line in columns.items()]
        corner = f"solver of {pair.source} on {pair.target}: RMSE at NFE"
        lines += [*harness.table(corner, nfe, body), ""]
        for sentence in verdict(pair, columns, nfe):
            lines += [sentence, ""]
    endpoint = max(endpoint for _, endpoint in stored.values())
    lines += [
        f"Seed {setup.seed}; {setup.training} training, {setup.validation} validation "
        f"and {setup.test} test noises; RK2-Bespoke, direct RMSE, Adam, lr {setup.lr} "
        f"with cosine decay, {setup.iterations} iterations of {setup.batch_size} "
        "paths. Ground truth: the end points of the certificates are within "
        f"{endpoint:.1g} (RMS, worst sample) of a ten times tighter solve. "
        f"{harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "transfer", lines)
    draw(config, {name: columns for name, (columns, _) in stored.items()})


def draw(config: Config, stored: dict[str, dict[str, list[float]]]) -> None:
    import matplotlib.pyplot as plt

    styles = {
        "native": ("black", "o", "-"),
        "transferred": ("tab:red", "^", "--"),
        "transferred_changed": ("tab:blue", "D", "-."),
        "base": ("0.45", "s", ":"),
        "base_changed": ("0.7", "v", ":"),
    }
    count = len(stored)
    figure, axes = plt.subplots(
        1, count, figsize=(max(4 * count, 6), 4.6), sharey=True, squeeze=False
    )
    for axis, (name, columns) in zip(axes[0], stored.items(), strict=True):
        nfe = nfe_of(config, PAIRS[name])
        for kind, line in columns.items():
            colour, marker, dash = styles[kind]
            axis.plot(
                nfe, line, color=colour, marker=marker, ls=dash, ms=5,
                label=LABELS[kind],
            )  # fmt: skip
        title = f"{PAIRS[name].target}, solver of {PAIRS[name].source}"
        axis.set(title=title, xlabel="NFE", yscale="log", xticks=nfe)
        axis.grid(alpha=0.3, which="both")
    axes[0, 0].set_ylabel("RMSE to the exact solution (pixels on [-1, 1])")
    # The panel with the most lines: without a change of schedule two are missing.
    fullest = max(axes[0], key=lambda axis: len(axis.get_lines()))
    handles = fullest.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "transfer.png", dpi=120)


def main(config: Config) -> None:
    for name in config.pairs:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

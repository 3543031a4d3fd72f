"""The tables and the figure of the samples of every rule."""

from pathlib import Path

import bespoke_jax as bj
from experiments import harness
from experiments.harness import figures, pages
from experiments.recursive_difference import subjects
from experiments.recursive_difference.generation.measure import (
    MULTI,
    NAMES,
    SINGLE,
    Config,
    rules,
)

HERE = Path(__file__).parent
TWINS = (*SINGLE, *MULTI, "scirei_2")
SHOWN = (
    "ddim",
    "scire_v1_2 rd",
    "scire_v1_2 fd",
    "scire_v1_2m rd",
    "scire_v1_2m fd",
    "dpm_solver_2",
    "dpm_solver_pp_2m",
    "unipc",
    "edm_heun, EDM grid",
)


TITLES = {
    "mse": "mean squared error",
    "median": "median RMSE of a sample",
    "frechet": "Frechet distance",
}


def grouped(rows: list[dict], figure: str) -> dict[str, dict[int, float]]:
    """label -> NFE asked -> figure."""
    lines: dict[str, dict[int, float]] = {}
    for row in rows:
        lines.setdefault(row["label"], {})[row["nfe"]] = row[figure]
    return lines


def figures_of(name: str) -> tuple[str, str]:
    """The two figures of a model's tables."""
    return ("mse", "frechet") if name in subjects.DIGITS else ("mse", "median")


def better(lines: dict, nfe: tuple[int, ...], first: str, second: str) -> list[int]:
    """The NFE at which the first label's figure is below the second's."""
    both = [n for n in nfe if n in lines.get(first, {}) and n in lines.get(second, {})]
    return [n for n in both if lines[first][n] < lines[second][n]]


def write(config: Config) -> None:
    """Write both pages and the figure from the stored results."""
    stored = harness.stored(config.results, NAMES)
    lines, full = [], []
    for name, results in stored.items():
        for figure in figures_of(name):
            found = grouped(results.rows, figure)
            title = f"{name}: {TITLES[figure]} at NFE"
            for out, labels in ((lines, SHOWN), (full, rules())):
                body = [
                    (label, [found[label].get(n) for n in config.nfe])
                    for label in labels
                    if label in found
                ]
                out += [*pages.table(title, config.nfe, body), ""]
        lines += [*verdict(config, name, results), ""]
    setup = config.setup
    lines += [
        f"{config.samples} noises, seed {setup.seed + 1000}; NSR grid, k = 3.1; a "
        "method of s evaluations a step spends the largest multiple of s that NFE pays "
        'for, except "agile", DPM-Solver-2 and -3 and EDM-Heun, which end with lower '
        f"orders. {harness.hardware(stored.values())}."
    ]
    pages.write(HERE, "generation", lines)
    pages.write(HERE, "generation", full, page="TABLES.md")
    draw(config, stored)


def verdict(config: Config, name: str, results: harness.Results) -> list[str]:
    """Where RD is below FD, the best rule at each NFE, and the samples' spread."""
    lines = [best(config, name, results, figure) for figure in figures_of(name)]
    lines.append(spread(config, name, results))
    exact = results.get(label="exact")
    return [*lines, distances(name, results, exact)] if "halves" in exact else lines


def best(config: Config, name: str, results: harness.Results, figure: str) -> str:
    """Where RD is below FD in a figure, and the best rule at each NFE."""
    found = grouped(results.rows, figure)
    below = lambda rule: better(found, config.nfe, f"{rule} rd", f"{rule} fd")
    twins = [f"{rule} {pages.listed(below(rule))}" for rule in TWINS]
    lowest = []
    for n in config.nfe:
        at = {k: v[n] for k, v in found.items() if n in v and v[n] == v[n]}
        winner = min(at, key=at.__getitem__)
        lowest.append(f"{n}: {winner} ({at[winner]:.3g})")
    return (
        f"- {name}, {TITLES[figure]}: NFE at which phi = 2/3 (RD) is below phi = 1 "
        f"(FD): {'; '.join(twins)}. Lowest of all: {'; '.join(lowest)}."
    )


def spread(config: Config, name: str, results: harness.Results) -> str:
    """The samples' standard deviation over that of the exact ones."""
    found = grouped(results.rows, "spread")
    late = [n for n in config.nfe if n >= 10]
    wider = {
        phi: pages.listed(f"{found['scire_v1_2 ' + phi][n]:.3f}" for n in late)
        for phi in ("rd", "fd")
    }
    return (
        f"- {name}, standard deviation of the samples over that of the exact ones, "
        f"SciRE-V1-2 at NFE {pages.listed(late)}: RD {wider['rd']}; FD {wider['fd']}."
    )


def distances(name: str, results: harness.Results, exact: harness.Row) -> str:
    """The Frechet distance of the exact samples, and where SciRE is below it."""
    found = grouped(results.rows, "frechet")
    below = {
        phi: [n for n, v in found[f"scire_v1_2 {phi}"].items() if v < exact["frechet"]]
        for phi in ("rd", "fd")
    }
    a, b = exact["halves"]
    return (
        f"- {name}: the exact samples have a Frechet distance of "
        f"{exact['frechet']:.3g} (their two halves {a:.3g} and {b:.3g}, with the "
        f"larger bias of half the samples), and the data's standard deviation is "
        f"{exact['data_spread']:.3f} times theirs; SciRE-V1-2 is below that at NFE "
        f"{pages.listed(below['rd'])} with RD, {pages.listed(below['fd'])} with FD."
    )


def draw(config: Config, stored: dict[str, harness.Results]) -> None:
    """RMSE of each model and, of the digits models, Frechet distance."""
    panels = [(name, "rmse") for name in stored]
    panels += [(name, "frechet") for name in stored if name in subjects.DIGITS]
    figure, axes = bj.plots.panels(2, 3, size=(4, 4))
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    ticks = [n for n in config.nfe if n not in (6, 12, 36)]
    looks = bj.plots.looks(SHOWN)
    for axis, (name, kind) in zip(axes.flat, panels, strict=False):
        found = grouped(stored[name].rows, kind)
        bj.plots.draw(axis, figures.lines({k: found[k] for k in SHOWN}), looks)
        what = "RMSE to the exact solution" if kind == "rmse" else "Frechet distance"
        log = "xy" if kind == "rmse" else "x"
        bj.plots.dress(
            axis, title=f"{name}: {what}", xlabel="NFE", log=log, xticks=ticks
        )
        if kind == "frechet":
            mark_exact(axis, stored[name].get(label="exact")["frechet"])
    bj.plots.legend(figure, columns=4)
    figures.save(figure, HERE / "generation.png")


def mark_exact(axis: figures.Axes, level: float) -> None:
    """A line at the exact samples' Frechet distance."""
    axis.axhline(level, color="0.5", lw=1)
    axis.set_ylim(0.5 * level, 5 * level)
    place = {"xycoords": ("axes fraction", "data"), "va": "top", "fontsize": 8}
    axis.annotate("exact", (0.01, level), **place)

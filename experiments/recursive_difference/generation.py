"""Samples of every SciRE variant, its finite-difference twin and the other solvers.

    uv run python -m experiments.recursive_difference.generation

All rules on one grid (NSR, k = 3.1), so that only the rule differs; EDM-Heun on its own
grid as well. Mean squared error to the exact solution from the same noise; for digits
also the Frechet distance of the samples' classifier features to those of the data set,
and for all the samples' spread: the standard deviation about their mean, over that of
the exact samples. `--models eps_vp` does one model; the page is written from all that
are there. Few samples near the boundary between modes make most of a mixture's mean
squared error, hence its median too. Writes `results/generation-*.json`, the tables in
README.md and TABLES.md, and `generation.png`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from bespoke_jax import solvers
from experiments import harness
from experiments.digits import classifier, data
from experiments.recursive_difference import subjects

matplotlib.use("Agg")
HERE = Path(__file__).parent
NAMES = ("mixture", "eps_vp", "edm")
PHI = ("rd", "rd_inf", "official", "fd")
SINGLE = ("scire_v1_2", "scire_v1_3", "scire_v2_2", "scire_v2_3")
MULTI = ("scire_v1_2m", "scire_v1_3m", "scire_v2_2m", "scire_v2_3m")
BASELINES = (
    "ddim",
    "dpm_solver_2",
    "dpm_solver_3",
    "dpm_solver_pp_2m",
    "dpm_solver_pp_3m",
    "unipc",
    "deis_tab",
    "ipndm",
    "edm_heun",
)

TITLES = {
    "mse": "mean squared error",
    "median": "median RMSE of a sample",
    "frechet": "Frechet distance",
}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    nfe: tuple[int, ...] = (5, 6, 8, 10, 12, 15, 20, 36, 50, 100)
    samples: int = 512  # the first of the test noises
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        return {"nfe": self.nfe, "samples": self.samples, **self.setup.described()}


def rules() -> dict[str, Callable[..., bj.Solver]]:
    """Label -> constructor of (schedule, nfe=, grid=, end=); "NAME phi" for SciRE."""
    table = {}
    for name in (*SINGLE, *MULTI, "scirei_2"):
        for phi in PHI:
            table[f"{name} {phi}"] = partial(getattr(solvers, name), phi=phi)
    for name in ("scire_v1_3", "scire_v2_3"):
        table[f"{name} fd, Taylor stage"] = partial(
            getattr(solvers, name), phi="fd", stage="taylor"
        )
    for phi in ("rd", "fd"):
        table[f"scire_v1_2 {phi}, inner node"] = partial(
            solvers.scire_v1_2, phi=phi, r1="inner"
        )
        table[f"scire_v1_3 {phi}, agile"] = partial(
            solvers.scire_v1_3, phi=phi, mode="agile"
        )
        for name in ("scire_v1_2m", "scire_v2_2m"):
            table[f"{name} {phi}, 2023"] = partial(
                getattr(solvers, name), phi=phi, variant="iclr"
            )
    table["scire_v1_2 fd, geometric node"] = partial(
        solvers.scire_v1_2, phi="fd", r1="geometric"
    )
    table |= {name: getattr(solvers, name) for name in BASELINES}
    table["edm_heun, EDM grid"] = solvers.edm_heun
    return table


def build(label: str, model: bj.Model, nfe: int, grid: Any = "nsr") -> bj.Solver | None:
    """The solver, or None where nfe does not pay for a step of it."""
    grid = "edm" if label.endswith("EDM grid") else grid
    stages = solvers.TABLE[label.split()[0].rstrip(",")].stages
    if nfe < stages:
        return None
    return rules()[label](model.schedule, nfe=nfe, grid=grid, end=model.end)


def judged(x: Any, exact: Any, *, digits: bool) -> dict[str, Any]:
    """The figures of a set of samples; nan where a solve left the finite numbers."""
    x, exact = np.asarray(x, np.float64), np.asarray(exact, np.float64)
    if not np.isfinite(x).all():
        return dict.fromkeys(
            ("mse", "rmse", "median", "spread", "frechet"), float("nan")
        )
    each = ((x - exact) ** 2).reshape(len(x), -1).mean(1)
    row = {
        "mse": float(each.mean()),
        "rmse": float(np.sqrt(each).mean()),
        "median": float(np.median(np.sqrt(each))),
        "spread": float(np.sqrt(x.var(0).mean() / exact.var(0).mean())),
    }
    return {**row, "frechet": classifier.frechet(x)} if digits else row


def measure(config: Config, name: str) -> None:
    model = subjects.load(name)
    path = HERE / "results" / f"generation-{name}.json"
    results = harness.Results(path, config.described())
    digits = name in subjects.DIGITS
    x0, exact = (x[: config.samples] for x in subjects.exact(config.setup, model))

    def one(label: str, nfe: int) -> dict[str, Any]:
        solver = build(label, model, nfe)
        assert solver is not None
        samples = harness.sampled(model.field, solver, x0)
        return {"spent": solver.nfe, **judged(samples, exact, digits=digits)}

    def halves() -> dict[str, Any]:
        row = judged(exact, exact, digits=digits)
        if digits:
            half = len(exact) // 2
            row["halves"] = [classifier.frechet(exact[:half])]
            row["halves"].append(classifier.frechet(exact[half:]))
            images = data.load()
            images = np.concatenate([images.train, images.validation])
            ratio = images.var(0).mean() / np.asarray(exact, np.float64).var(0).mean()
            row["data_spread"] = float(np.sqrt(ratio))
        return row

    results.once({"label": "exact", "nfe": 0}, halves)
    for nfe in config.nfe:
        for label in rules():
            if build(label, model, nfe) is not None:
                results.once({"label": label, "nfe": nfe}, partial(one, label, nfe))


def grouped(rows: list[dict], figure: str) -> dict[str, dict[int, float]]:
    """label -> NFE asked -> figure."""
    lines: dict[str, dict[int, float]] = {}
    for row in rows:
        lines.setdefault(row["label"], {})[row["nfe"]] = row[figure]
    return lines


def figures(name: str) -> tuple[str, str]:
    """The two figures of a model's tables."""
    return ("mse", "frechet") if name in subjects.DIGITS else ("mse", "median")


def better(lines: dict, nfe: tuple[int, ...], first: str, second: str) -> list[int]:
    """The NFE at which the first label's figure is below the second's."""
    both = [n for n in nfe if n in lines.get(first, {}) and n in lines.get(second, {})]
    return [n for n in both if lines[first][n] < lines[second][n]]


def write_page(config: Config) -> None:
    stored, lines, full = {}, [], []
    for name in NAMES:
        path = HERE / "results" / f"generation-{name}.json"
        results = harness.Results(path, config.described())
        if results.rows:
            stored[name] = results.rows
    for name, rows in stored.items():
        for figure in figures(name):
            found = grouped(rows, figure)
            title = f"{name}: {TITLES[figure]} at NFE"
            for out, labels in ((lines, STYLES), (full, rules())):
                body = [
                    (label, [found[label].get(n) for n in config.nfe])
                    for label in labels
                    if label in found
                ]
                out += [*harness.table(title, config.nfe, body), ""]
        lines += [*verdict(config, name, rows), ""]
    setup = config.setup
    lines += [
        f"{config.samples} noises, seed {setup.seed + 1000}; NSR grid, k = 3.1; a "
        "method of s evaluations a step spends the largest multiple of s that NFE pays "
        'for, except "agile", DPM-Solver-2 and -3 and EDM-Heun, which end with lower '
        f"orders. {harness.machine()}."
    ]
    harness.write_block(HERE / "README.md", "generation", lines)
    harness.write_block(HERE / "TABLES.md", "generation", full)
    draw(config, stored)


def verdict(config: Config, name: str, rows: list[dict]) -> list[str]:
    """Where RD is below FD, and the best rule at each NFE."""
    listed = lambda found: ", ".join(map(str, found)) if found else "none"
    lines = []
    for figure in figures(name):
        found = grouped(rows, figure)
        twins = [
            f"{twin} {listed(better(found, config.nfe, f'{twin} rd', f'{twin} fd'))}"
            for twin in (*SINGLE, *MULTI, "scirei_2")
        ]
        best = []
        for n in config.nfe:
            at = {k: v[n] for k, v in found.items() if n in v and v[n] == v[n]}
            winner = min(at, key=at.__getitem__)
            best.append(f"{n}: {winner} ({at[winner]:.3g})")
        lines += [
            f"- {name}, {TITLES[figure]}: NFE at which phi = 2/3 (RD) is below phi = 1 "
            f"(FD): {'; '.join(twins)}. Lowest of all: {'; '.join(best)}.",
        ]
    exact = next(row for row in rows if row["label"] == "exact")
    spread = grouped(rows, "spread")
    late = [n for n in config.nfe if n >= 10]
    wider = {
        phi: ", ".join(f"{spread['scire_v1_2 ' + phi][n]:.3f}" for n in late)
        for phi in ("rd", "fd")
    }
    lines += [
        f"- {name}, standard deviation of the samples over that of the exact ones, "
        f"SciRE-V1-2 at NFE {listed(late)}: RD {wider['rd']}; FD {wider['fd']}.",
    ]
    if "halves" in exact:
        found = grouped(rows, "frechet")
        below = {
            phi: [
                n for n, v in found[f"scire_v1_2 {phi}"].items() if v < exact["frechet"]
            ]
            for phi in ("rd", "fd")
        }
        a, b = exact["halves"]
        lines += [
            f"- {name}: the exact samples have a Frechet distance of "
            f"{exact['frechet']:.3g} (their two halves {a:.3g} and {b:.3g}, with the "
            f"larger bias of half the samples), and the data's standard deviation is "
            f"{exact['data_spread']:.3f} times theirs; SciRE-V1-2 is below that at NFE "
            f"{listed(below['rd'])} with RD, {listed(below['fd'])} with FD.",
        ]
    return lines


STYLES = {
    "ddim": ("0.6", "x", "-"),
    "scire_v1_2 rd": ("tab:red", "s", "--"),
    "scire_v1_2 fd": ("tab:red", "o", "-"),
    "scire_v1_2m rd": ("tab:purple", "s", "--"),
    "scire_v1_2m fd": ("tab:purple", "o", "-"),
    "dpm_solver_2": ("0.4", "v", ":"),
    "dpm_solver_pp_2m": ("0.0", "D", "-"),
    "unipc": ("tab:blue", "^", "-."),
    "edm_heun, EDM grid": ("tab:brown", "P", ":"),
}


def draw(config: Config, stored: dict[str, list[dict]]) -> None:
    import matplotlib.pyplot as plt

    panels = [(name, "rmse") for name in stored]
    panels += [(name, "frechet") for name in stored if name in subjects.DIGITS]
    figure, axes = plt.subplots(2, 3, figsize=(12, 8), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, (name, kind) in zip(axes.flat, panels, strict=False):
        found = grouped(stored[name], kind)
        for label, (colour, marker, dash) in STYLES.items():
            line = found[label]
            axis.plot(
                list(line), list(line.values()), color=colour, marker=marker, ls=dash,
                ms=4, label=label,
            )  # fmt: skip
        if kind == "frechet":
            level = next(r for r in stored[name] if r["label"] == "exact")["frechet"]
            axis.axhline(level, color="0.5", lw=1)
            axis.set_ylim(0.5 * level, 5 * level)
            axis.annotate(
                "exact", (0.01, level), xycoords=("axes fraction", "data"), va="top",
                fontsize=8,
            )  # fmt: skip
        ticks = [n for n in config.nfe if n not in (6, 12, 36)]
        axis.set(xlabel="NFE", xscale="log")
        axis.set_yscale("log" if kind == "rmse" else "linear")
        axis.set_xticks(ticks, [str(n) for n in ticks])
        axis.minorticks_off()
        what = "RMSE to the exact solution" if kind == "rmse" else "Frechet distance"
        axis.set_title(f"{name}: {what}", fontsize=9)
        axis.grid(alpha=0.3)
    handles = axes[0, 0].get_legend_handles_labels()
    axes.flat[-1].legend(*handles, loc="center", fontsize=9)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "generation.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

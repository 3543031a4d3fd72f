"""Bespoke RK1, RK2 and RK4 against their bases and diffrax's adaptive solvers.

    uv run python -m experiments.digits.solvers

Ground truth once per model; at each NFE one fit of the direct loss per base and one of
the RMSE bound for RK2; at the smallest NFE ten times the effort as well, from the base
solver and from the base solver on another path (Theorem 2.3), which shows what the
family can do. Validation paths select, the figures are from other noises.
Interrupted, the same command goes on where it stopped. `--models eps_vp` does one
model; the page is written from all that are there. Writes `results/solvers-*.json`, the
tables in README.md and `rmse_nfe.png`.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import adaptive, models

matplotlib.use("Agg")
HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")
# Where the second long fit starts: the base solver on this path.
OTHER_PATH = {
    "fm_ot": bj.schedules.Cosine(),
    "fm_cs": bj.schedules.CondOT(),
    "eps_vp": bj.schedules.CondOT(),
}
STAGES = {"euler": 1, "midpoint": 2, "rk4": 4}
LABELS = {
    "euler": "RK1 (euler)",
    "midpoint": "RK2 (midpoint)",
    "rk4": "RK4",
    "adaptive": "diffrax, best adaptive solve within the NFE",
    "bespoke_euler": "RK1-Bespoke, direct RMSE",
    "bespoke_midpoint": "RK2-Bespoke, direct RMSE",
    "bespoke_rk4": "RK4-Bespoke, direct RMSE",
    "bound_midpoint": "RK2-Bespoke, RMSE bound",
    "limit_midpoint": "RK2-Bespoke, direct RMSE, ten times the effort",
}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: tuple[int, ...] = (4, 6, 8, 10, 16, 20, 24)
    setup: harness.Setup = harness.Setup()


def wanted(config: Config) -> list[tuple[str, str, int]]:
    """(kind, base, NFE) of every solver."""
    tasks = []
    for nfe in config.nfe:
        for base, stages in STAGES.items():
            if nfe % stages == 0:
                tasks += [(kind, base, nfe) for kind in ("generic", "bespoke")]
        tasks.append(("bound", "midpoint", nfe))
    return [*tasks, ("limit", "midpoint", config.nfe[0])]


def measure(config: Config, name: str) -> None:
    model = models.load(name)
    settings = {"nfe": config.nfe, **config.setup.described()}
    results = harness.Results(HERE / "results" / f"solvers-{name}.json", settings)
    truth = harness.truth(config.setup, model)

    def one(kind: str, base: str, nfe: int) -> dict[str, Any]:
        if kind == "generic":
            solver = bj.solvers.construct(base, nfe, end=model.end)
            return harness.errors(model.field, solver, truth.test)
        family = bj.families.scale_time(nfe // STAGES[base], base=base, end=model.end)
        fit = partial(harness.fitted, config.setup, model.field, truth, family)
        task = f"{name}-{kind}-{base}-{nfe}"
        if kind == "limit":
            path = OTHER_PATH[name]
            other = bj.families.from_schedules(family, model.schedule, path)
            tries = [fit(task, effort=10.0)]
            tries.append(fit(f"{task}-changed", start=other, effort=10.0))
            fitted = min(tries, key=lambda fitted: fitted.validation_rmse)
        else:
            loss = bj.losses.rmse_bound if kind == "bound" else harness.DIRECT
            fitted = fit(task, loss=loss)
        return {
            **harness.errors(model.field, fitted.solver, truth.test),
            "validation_start": fitted.start_validation_rmse,
            "validation": fitted.validation_rmse,
            "evaluations": float(harness.spent(fitted)[-1]),
            "truth_evaluations": truth.evaluations,
            "training_evaluations": model.training_evaluations,
            "endpoint": float(truth.test.certificate.endpoint),
        }

    for kind, base, nfe in wanted(config):
        key = {"kind": kind, "base": base, "nfe": nfe}
        results.once(key, lambda task=(kind, base, nfe): one(*task))
    first = bj.paths.take(truth.test, slice(0, 256))
    results.once(
        {"kind": "adaptive"},
        lambda: {"points": adaptive.work_precision(model, first)},
    )


def curves(config: Config, rows: list[dict]) -> dict[str, list[float | None]]:
    """RMSE by NFE for each label."""
    found: dict[tuple[str, int], float] = {}
    for row in rows:
        if row["kind"] == "adaptive":
            continue
        prefix = "" if row["kind"] == "generic" else f"{row['kind']}_"
        found[prefix + row["base"], row["nfe"]] = row["rmse"]
    lines = {label: [found.get((label, nfe)) for nfe in config.nfe] for label in LABELS}
    points = next((r["points"] for r in rows if r["kind"] == "adaptive"), [])
    lines["adaptive"] = [adaptive.best(points, nfe) for nfe in config.nfe]
    return lines


def stored(config: Config, name: str) -> list[dict]:
    """The rows that were measured with these settings."""
    path = HERE / "results" / f"solvers-{name}.json"
    settings = {"nfe": config.nfe, **config.setup.described()}
    return harness.Results(path, settings).rows


def write_page(config: Config) -> None:
    found = {name: stored(config, name) for name in MODELS}
    lines = []
    for name, rows in found.items():
        if not rows:
            continue
        columns = curves(config, rows)
        body = [(LABELS[label], line) for label, line in columns.items()]
        lines += [*harness.table(f"{name}: RMSE at NFE", config.nfe, body), ""]
        lines += [*verdict(name, columns), ""]
    fits = [r for rows in found.values() for r in rows if "evaluations" in r]
    endpoint = max(r["endpoint"] for r in fits)
    setup = config.setup
    lines += [
        f"Seed {setup.seed}; {setup.training} training, {setup.validation} validation "
        f"and {setup.test} test noises; Adam, lr {setup.lr} with cosine decay, "
        f"{setup.iterations} iterations of {setup.batch_size} paths. Ground truth: the "
        f"end points of the certificates are within {endpoint:.1g} (RMS, worst sample) "
        "of a ten times tighter solve. Adaptive solves: the first 256 test noises, "
        f"methods {' and '.join(adaptive.METHODS)} at {len(adaptive.TOLERANCES)} "
        f"tolerances, mean NFE. {harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "solvers", lines)
    draw(config, found)


def verdict(name: str, columns: dict[str, list[float | None]]) -> list[str]:
    """The figure of merit at the smallest NFE."""
    generic = min(columns[base][0] for base in STAGES)
    fit = min(columns["bespoke_midpoint"][0], columns["bound_midpoint"][0])
    limit = columns["limit_midpoint"][0]
    return [
        f"{name}, smallest NFE: the fitted RK2 has {fit / generic:.2f} times the RMSE "
        f"of the best of RK1, RK2 and RK4; with ten times the effort "
        f"{limit / generic:.2f} times."
    ]


def draw(config: Config, found: dict[str, list[dict]]) -> None:
    import matplotlib.pyplot as plt

    styles = {
        "euler": ("0.65", "s", ":"),
        "midpoint": ("0.5", "o", ":"),
        "rk4": ("0.35", "^", ":"),
        "adaptive": ("0.0", "x", "-."),
        "bespoke_euler": ("tab:cyan", "s", "-"),
        "bespoke_midpoint": ("tab:red", "o", "-"),
        "bespoke_rk4": ("tab:purple", "^", "-"),
        "bound_midpoint": ("tab:blue", "D", "--"),
    }
    shown = {name: rows for name, rows in found.items() if rows}
    figure, axes = plt.subplots(
        1, len(shown), figsize=(4 * len(shown), 4.6), sharey=True, squeeze=False
    )
    for axis, (name, rows) in zip(axes[0], shown.items(), strict=True):
        for label, line in curves(config, rows).items():
            if label not in styles:
                continue
            colour, marker, dash = styles[label]
            pairs = [(n, v) for n, v in zip(config.nfe, line, strict=True) if v]
            if not pairs:
                continue
            axis.plot(
                *zip(*pairs, strict=True), color=colour, marker=marker, ls=dash, ms=5,
                label=LABELS[label],
            )  # fmt: skip
        axis.set(title=name, xlabel="NFE", yscale="log", xticks=config.nfe)
        axis.grid(alpha=0.3, which="both")
    axes[0, 0].set_ylabel("RMSE to the exact solution (pixels on [-1, 1])")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "rmse_nfe.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

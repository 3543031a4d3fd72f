"""`tailor` on the digits models, against every other solver of the library.

    uv run python -m experiments.digits.tailor

Per model and NFE one fit on the shared ground truth, started from all training-free
solvers and from the fit at one NFE less. Compared on test noises with the best
training-free solver on its best grid (chosen on those very noises, which favours it)
and with RK1- and RK2-Bespoke of `experiments.digits.solvers`. `--models eps_vp` does
one model. Writes `results/tailor-*.json`, the table in README.md and `tailor.png`.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models, training_free
from experiments.digits import solvers as bespoke

matplotlib.use("Agg")
HERE = Path(__file__).parent
NAMES = ("fm_ot", "fm_cs", "eps_vp")


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = NAMES
    nfe: tuple[int, ...] = (4, 5, 6, 8, 10, 16)
    fitting: int = 192  # the first of the training paths
    seconds: float | None = None  # for each fit
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        return {"nfe": self.nfe, "fitting": self.fitting, **self.setup.described()}

    def results(self, name: str) -> harness.Results:
        return harness.Results(
            HERE / "results" / f"tailor-{name}.json", self.described()
        )


def measure(config: Config, name: str) -> None:
    model, setup = models.load(name), config.setup
    results = config.results(name)
    truth = harness.truth(setup, model)
    training = bj.paths.take(truth.training, slice(0, config.fitting))
    below: dict[int, bj.Solver] = {}

    def one(nfe: int) -> dict[str, Any]:
        found = bj.tailor(
            model.field,
            training,
            validation=truth.validation,
            test=truth.test,
            nfe=nfe,
            key=jax.random.key(setup.seed + 1),
            schedule=model.schedule,
            end=model.end,
            starts=[below[nfe - 1]] if nfe - 1 in below else [],
            seconds=config.seconds,
        )
        return {
            **harness.errors(model.field, found.solver, truth.test),
            "validation": float(found.history.rmse[-1]),
            "validation_start": float(found.history.rmse[0]),
            "start": found.start,
            "steps": len(found.history.rmse) - 1,
            "limit": config.seconds,
            "fit_seconds": float(found.history.seconds[-1]),
            "evaluations": float(found.history.evaluations[-1]),
            "truth_evaluations": truth.evaluations,
            "solver": [np.asarray(leaf).tolist() for leaf in found.solver],
        }

    for nfe in config.nfe:
        below[nfe] = as_solver(results.once({"nfe": nfe}, partial(one, nfe)))


def as_solver(row: dict[str, Any]) -> bj.Solver:
    """The solver of a row of results."""
    t, a, _, q, end = (np.asarray(leaf) for leaf in row["solver"])
    return bj.Solver(t, a, np.zeros((len(t), 0)), q, end)


def stored(name: str, nfe: int) -> bj.Solver:
    """The committed tailored solver of a model at one NFE."""
    return as_solver(Config().results(name).get(nfe=nfe))


def others(config: Config, name: str) -> dict[str, dict[int, float | None]]:
    """Label -> NFE -> RMSE of what `tailor` is compared with."""
    free = training_free.Config().results(name)
    best: dict[int, float | None] = {
        n: min(training_free.at(free, n).values()) for n in config.nfe
    }
    rows = bespoke.stored(bespoke.Config(), name)
    lines = bespoke.curves(bespoke.Config(), rows)
    learned = {
        bespoke.LABELS[key]: dict(zip(bespoke.Config().nfe, lines[key], strict=True))
        for key in ("bespoke_euler", "bespoke_midpoint", "bespoke_rk4")
    }
    return {"best training-free, of all grids": best, **learned}


def write_page(config: Config) -> None:
    stored = {name: config.results(name) for name in NAMES}
    stored = {name: results for name, results in stored.items() if results.rows}
    lines, spent = [], []
    for name, results in stored.items():
        ours = {row["nfe"]: row["rmse"] for row in results.rows}
        table = {**others(config, name), "tailor": ours}
        body = [(k, [line.get(n) for n in config.nfe]) for k, line in table.items()]
        rivals = {
            n: min(v[n] for k, v in table.items() if k != "tailor" and v.get(n))
            for n in config.nfe
        }
        free = table["best training-free, of all grids"]
        ratio = [ours[n] / free[n] for n in config.nfe]
        body.append(("tailor over best training-free", ratio))
        body.append(("tailor over best other", [ours[n] / rivals[n] for n in ours]))
        lines += [*harness.table(f"{name}: RMSE at NFE", config.nfe, body), ""]
        spent += [row["evaluations"] - row["truth_evaluations"] for row in results.rows]
    seconds = [row["fit_seconds"] for r in stored.values() for row in r.rows]
    cut = [
        f"{name} at {row['nfe']} NFE"
        for name, results in stored.items()
        for row in results.rows
        if row.get("limit") and row["fit_seconds"] > row["limit"]
    ]
    lines += [
        f"Fits: {min(spent):.2g} to {max(spent):.2g} network evaluations without the "
        f"ground truth, {min(seconds):.0f} to {max(seconds):.0f} s with other work on "
        f"the machine (stopped by a limit on seconds: {', '.join(cut) or 'none'}). "
        f"{config.fitting} fitting and {config.setup.validation} "
        f"validation paths, {config.setup.test} test noises, seed "
        f"{config.setup.seed}. {harness.machine()}."
    ]
    harness.write_block(HERE / "README.md", "tailor", lines)
    draw(config, stored)


def draw(config: Config, stored: dict[str, harness.Results]) -> None:
    import matplotlib.pyplot as plt

    styles = (("0.4", "s", ":"), ("tab:cyan", "v", "-."), ("tab:blue", "D", "--"))
    figure, axes = plt.subplots(
        1, len(stored), figsize=(4 * len(stored), 4.2), sharey=True, squeeze=False
    )
    for axis, (name, results) in zip(axes[0], stored.items(), strict=True):
        lines = dict(list(others(config, name).items())[:3])
        for (label, line), (colour, marker, dash) in zip(
            lines.items(), styles, strict=True
        ):
            found = {n: line[n] for n in config.nfe if line.get(n)}
            axis.plot(
                list(found), list(found.values()), c=colour, marker=marker, ls=dash,
                label=label,
            )  # fmt: skip
        ours = {row["nfe"]: row["rmse"] for row in results.rows}
        axis.plot(list(ours), list(ours.values()), "o-", c="tab:red", label="tailor")
        axis.set(title=name, xlabel="NFE", yscale="log", xticks=config.nfe)
        axis.grid(alpha=0.3, which="both")
    axes[0, 0].set_ylabel("RMSE to the exact solution (pixels on [-1, 1])")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize=8)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "tailor.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

"""`tailor` on analytic mixtures, against the peers' best and the library's own.

    uv run python -m experiments.mixture.tailor

Five 8-D mixtures (6 modes with standard-normal centres, standard deviation 0.15) on
the VP path to 1 - 1e-3, in float64. Fitting on 1,024 noises, figures on 2,048 others:
the median over mixtures of the median per-sample RMSE, and the flip rate, the share of
samples whose error exceeds a tenth of the median distance of independent samples. Each
NFE is also started from the one below, so that none can be worse. One process, one
fresh fit per NFE; seconds are those of `tailor` without its ground truth, compilation
included. Writes `results.json`, the table in README.md and `rmse_nfe.png`.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.mixture import fields

matplotlib.use("Agg")
HERE = Path(__file__).parent
# Best training-free and best learned peer on one such mixture, by their own programs,
# and what was to be reached.
PEERS = {
    4: (None, 4.2e-3, 3.0e-3),
    5: (4.1e-2, 3.0e-3, 2.0e-3),
    6: (None, 2.6e-3, 8.0e-4),
    8: (1.1e-2, 3.1e-3, 6.0e-4),
    10: (5.7e-3, 1.4e-3, 2.5e-4),
}


@dataclass(frozen=True)
class Config:
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    fitting: int = 1024
    test: int = 2048
    tolerance: float = 1e-8
    seconds: float = 60.0
    runs: Path = Path("runs")

    def described(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("runs", "seeds")}


def truth(config: Config, model: bj.Model, count: int, seed: int) -> bj.Paths:
    x0, _ = bj.model.noise(model, jax.random.key(seed), count)
    return bj.reference.solve(
        model.field,
        x0.astype(jnp.float64),
        end=model.end,
        rtol=config.tolerance,
        atol=config.tolerance,
        directory=config.runs / "truth" / f"{model.name}-{count}-{seed}",
    )


def measure(config: Config, results: harness.Results, seed: int) -> None:
    model = fields.benchmark(seed)
    training = truth(config, model, config.fitting, 0)
    test = truth(config, model, config.test, 1)
    below: list[bj.Solver] = []

    def figures(solver: bj.Solver, prefix: str) -> dict[str, float]:
        x = harness.sampled(model.field, solver, test.x0)
        errors = np.asarray(bj.metrics.errors(x, test.x1))
        return {
            f"{prefix}median": float(np.median(errors)),
            f"{prefix}mean": float(errors.mean()),
            f"{prefix}flips": float(bj.metrics.flip_rate(x, test.x1)),
        }

    def one(nfe: int) -> dict[str, Any]:
        found = bj.tailor(
            model.field,
            training,
            nfe=nfe,
            key=jax.random.key(seed),
            schedule=model.schedule,
            end=model.end,
            starts=below,
            test=test,
            judge="median",
            probes=8,
            seconds=config.seconds - 5,
        )
        family, free = found.family, found.starts[0]
        if free.given:
            free = next(s for s in found.starts if not s.given)
        table = jax.tree.map(np.asarray, found.solver)
        return {
            **figures(found.solver, ""),
            **figures(family.build(free.theta), "free_"),
            "free": free.name,
            "start": found.start,
            "steps": len(found.history.rmse) - 1,
            "fit_seconds": float(found.history.seconds[-1]),
            "evaluations": float(found.history.evaluations[-1]),
            "solver": [leaf.tolist() for leaf in table],
        }

    for nfe in PEERS:
        row = results.once({"seed": seed, "nfe": nfe}, partial(one, nfe))
        t, a, _, q, end = (np.asarray(leaf) for leaf in row["solver"])
        smaller = bj.Solver(t, a, np.zeros((nfe, 0)), q, end)
        below = [*_until(smaller, model, nfe)]


def _until(solver: bj.Solver, model: bj.Model, nfe: int) -> list[bj.Solver]:
    """The solver with evaluations inserted until it is one short of the next NFE."""
    larger = [n for n in PEERS if n > nfe]
    while larger and solver.nfe < larger[0] - 1:
        t = np.append(np.asarray(solver.t), float(solver.end))
        widest = int(np.argmax(np.diff(t)))
        middle = float((t[widest] + t[widest + 1]) / 2)
        solver = bj.families.insert(solver, middle, schedule=model.schedule)
    return [solver] if larger else []


def write_page(config: Config, results: harness.Results) -> None:
    at = lambda nfe, key: [row[key] for row in results.rows if row["nfe"] == nfe]
    middle = lambda nfe, key: float(np.median(at(nfe, key)))
    body = []
    for nfe, (free, learned, goal) in PEERS.items():
        cells = [
            free,
            learned,
            goal,
            middle(nfe, "free_median"),
            middle(nfe, "median"),
            float(max(at(nfe, "median"))),
            f"{100 * middle(nfe, 'flips'):.2g} %",
            float(max(at(nfe, "fit_seconds"))),
        ]
        body.append((str(nfe), cells))
    columns = (
        "best training-free peer",
        "best learned peer",
        "to reach",
        "best training-free here",
        "tailor",
        "tailor, worst mixture",
        "flip rate",
        "seconds, longest fit",
    )
    order = list(PEERS)
    worse = [
        (seed, n)
        for seed in config.seeds
        for m, n in zip(order, order[1:], strict=False)
        if _one(results, seed, n)["median"] > _one(results, seed, m)["median"]
    ]
    missed = [n for n in order if middle(n, "median") > PEERS[n][2]]
    lines = [
        *harness.table("NFE", columns, body),
        "",
        f"Median over {len(config.seeds)} mixtures. "
        + (f"Not reached at NFE {missed}. " if missed else "All reached. ")
        + (f"Worse than the NFE before: {worse}. " if worse else "")
        + ("" if worse else "No NFE is worse than a smaller one on any mixture. ")
        + f"{config.fitting} fitting and {config.test} test noises, at most "
        f"{config.seconds:g} s a fit. {harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "tailor", lines)
    draw(results)


def _one(results: harness.Results, seed: int, nfe: int) -> dict[str, Any]:
    return results.get(seed=seed, nfe=nfe)


def draw(results: harness.Results) -> None:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4.8))
    order = list(PEERS)
    pairs = lambda k: [(n, PEERS[n][k]) for n in order if PEERS[n][k]]
    axis.plot(*zip(*pairs(0), strict=True), "s:", c="0.55", label="best free peer")
    axis.plot(*zip(*pairs(1), strict=True), "D--", c="0.3", label="best learned peer")
    ours = {"free_median": ("tab:blue", "^", ":"), "median": ("tab:red", "o", "-")}
    names = {"free_median": "best training-free here", "median": "tailor"}
    for key, (colour, marker, dash) in ours.items():
        values = [[r[key] for r in results.rows if r["nfe"] == n] for n in order]
        middle = [np.median(v) for v in values]
        axis.plot(order, middle, c=colour, marker=marker, ls=dash, label=names[key])
        low, high = [min(v) for v in values], [max(v) for v in values]
        axis.fill_between(order, low, high, color=colour, alpha=0.15, lw=0)
    axis.set(xlabel="NFE", ylabel="median RMSE to the exact solution", yscale="log")
    axis.set_xticks(order)
    axis.grid(alpha=0.3, which="both")
    figure.legend(
        loc="outside lower center",
        ncols=2,
        fontsize=8,
        title="bands: from the smallest to the largest of the mixtures",
        title_fontsize=8,
    )
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "rmse_nfe.png", dpi=120)


def main(config: Config) -> None:
    jax.config.update("jax_enable_x64", True)
    results = harness.Results(HERE / "results.json", config.described())
    for seed in config.seeds:
        measure(config, results, seed)
    write_page(config, results)


if __name__ == "__main__":
    main(tyro.cli(Config))

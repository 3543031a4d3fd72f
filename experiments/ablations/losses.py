"""The loss ablation: direct RMSE, RMSE bound, LTE, by RMSE and Frechet distance.

    uv run python -m experiments.ablations.losses

RK2-Bespoke fits that differ in nothing but the loss (those of the first two losses are
shared with `experiments.digits.solvers`). Frechet distances between the features of
4,096 samples and of the data set, also on each half of the noises: the difference of
the two halves is the sampling error of the figure. Also how far the bound lies above
the RMSE it bounds, at L_tau = 1 (the paper's) and at a measured L_tau. Writes
`results/losses-*.json`, `losses.png` and the block in README.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import classifier, models

matplotlib.use("Agg")
HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")
# Prefixes of the fits' names: those of experiments.digits.solvers where they exist.
LOSSES = {
    "bespoke": ("direct RMSE", harness.DIRECT),
    "bound": ("RMSE bound", bj.losses.rmse_bound),
    "lte": ("LTE", bj.losses.lte),
}
LABELS = {"midpoint": "RK2 (midpoint)", **{k: v for k, (v, _) in LOSSES.items()}}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: tuple[int, ...] = (4, 8, 10, 20)
    samples: int = 4096  # for Frechet distances
    setup: harness.Setup = harness.Setup()

    def settings(self) -> dict[str, Any]:
        described = {"nfe": self.nfe, "samples": self.samples}
        return {**described, **self.setup.described()}


def distances(images: jax.Array) -> dict[str, float]:
    """Frechet distance of all samples and of each half of them."""
    half = len(images) // 2
    return {
        "frechet": classifier.frechet(images),
        "frechet_first": classifier.frechet(images[:half]),
        "frechet_last": classifier.frechet(images[half:]),
    }


def measure(config: Config, name: str) -> None:
    model, setup = models.load(name), config.setup
    results = harness.Results(
        HERE / "results" / f"losses-{name}.json", config.settings()
    )
    truth = harness.truth(setup, model)
    many = harness.solved(setup, model, config.samples, f"{name}-frechet", seed=2000)
    results.once({"solver": "exact"}, lambda: distances(many.x1))
    measured = bj.losses.lipschitz(model.field, truth.validation, key=jax.random.key(7))

    def one(solver: str, nfe: int) -> dict[str, Any]:
        family = bj.families.scale_time(nfe // 2, end=model.end)
        row: dict[str, Any] = {}
        if solver == "midpoint":
            theta = family.init()
        else:
            fit_name = f"{name}-{solver}-midpoint-{nfe}"
            fitted = harness.fitted(
                setup, model.field, truth, family, fit_name, loss=LOSSES[solver][1]
            )
            theta, row = fitted.theta, {"validation": fitted.validation_rmse}
        tight = jax.jit(bj.losses.tightness, static_argnums=0)(
            family, theta, model.field, truth.validation, measured=measured
        )
        built = family.build(theta)
        return {
            **row,
            **harness.errors(model.field, built, truth.test),
            **distances(harness.sampled(model.field, built, many.x0)),
            "tightness": {k: float(v) for k, v in tight._asdict().items()},
        }

    for nfe in config.nfe:
        for solver in LABELS:
            key = {"solver": solver, "nfe": nfe}
            results.once(key, lambda task=(solver, nfe): one(*task))


def sampling_error(exact: dict) -> float:
    """How far two disjoint sets of half the samples are apart."""
    return abs(exact["frechet_first"] - exact["frechet_last"])


def page(config: Config, name: str, results: harness.Results) -> list[str]:
    row = lambda solver, nfe: results.get(solver=solver, nfe=nfe)
    exact = results.get(solver="exact")
    error, nfes = sampling_error(exact), config.nfe
    column = lambda key: [
        (label, [row(solver, nfe)[key] for nfe in nfes])
        for solver, label in LABELS.items()
    ]
    lines = [
        *harness.table(f"{name}: RMSE (test noises) at NFE", nfes, column("rmse")),
        "",
        *harness.table(
            f"{name}: Frechet distance at NFE",
            nfes,
            [
                *column("frechet"),
                ("exact solutions", [exact["frechet"]] * len(nfes)),
            ],
        ),
        "",
        f"Sampling error of the Frechet distance (two halves of {config.samples} "
        f"exact samples): {error:.2g}. "
        + " ".join(share(row("bespoke", nfe), exact, nfe, error) for nfe in nfes),
        "",
        "RMSE bound over the RMSE it bounds, for its own fit: "
        + "; ".join(bound(row("bound", nfe)["tightness"], nfe) for nfe in nfes)
        + ".",
        "",
    ]
    return lines


def share(row: dict, exact: dict, nfe: int, error: float) -> str:
    """Of the direct fit's distance against the exact solver's."""
    off = row["frechet"] - exact["frechet"]
    inside = "within" if abs(off) <= error else "beyond"
    return (
        f"At {nfe} NFE the direct fit's is {100 * off / exact['frechet']:+.1f} % off "
        f"the exact solutions', {inside} the sampling error."
    )


def bound(tight: dict[str, float], nfe: int) -> str:
    return (
        f"at {nfe} NFE {tight['paper']:.3g} (L_tau = 1), {tight['along']:.3g} "
        f"(measured, by time), {tight['constant']:.3g} (measured, largest)"
    )


def verdict(config: Config, stored: dict[str, harness.Results]) -> list[str]:
    """What the loss buys, counted over models and NFE."""
    cells = [(results, nfe) for results in stored.values() for nfe in config.nfe]
    value = lambda results, solver, nfe, key: results.get(solver=solver, nfe=nfe)[key]

    def first(key: str) -> str:
        counts = dict.fromkeys(LOSSES, 0)
        for results, nfe in cells:
            counts[min(LOSSES, key=lambda s: value(results, s, nfe, key))] += 1
        return ", ".join(f"{LABELS[s]} {count}" for s, count in counts.items())

    ratio = lambda solver, over: np.exp(
        np.mean(
            [
                np.log(value(r, solver, n, "rmse") / value(r, over, n, "rmse"))
                for r, n in cells
            ]
        )
    )
    return [
        f"Of {len(cells)} cells (model, NFE) the lowest RMSE belongs to: "
        f"{first('rmse')}; the lowest Frechet distance to: {first('frechet')}. "
        f"Geometric means of RMSE ratios: RMSE bound over midpoint "
        f"{ratio('bound', 'midpoint'):.2f}, LTE over RMSE bound "
        f"{ratio('lte', 'bound'):.2f}, direct over RMSE bound "
        f"{ratio('bespoke', 'bound'):.2f}.",
        "",
    ]


def draw(config: Config, stored: dict[str, harness.Results]) -> None:
    import matplotlib.pyplot as plt

    styles = dict(
        zip(
            LABELS,
            [
                ("0.5", "s", ":"),
                ("tab:red", "o", "-"),
                ("tab:blue", "D", "--"),
                ("tab:green", "^", "-."),
            ],
            strict=True,
        )
    )
    figure, axes = plt.subplots(
        2, len(stored), figsize=(3.6 * len(stored), 6), layout="constrained",
        sharex=True, squeeze=False,
    )  # fmt: skip
    for column, (name, results) in enumerate(stored.items()):
        exact = results.get(solver="exact")
        for axis, key in zip(axes[:, column], ("rmse", "frechet"), strict=True):
            for solver, (colour, marker, dash) in styles.items():
                line = [results.get(solver=solver, nfe=n)[key] for n in config.nfe]
                axis.plot(
                    config.nfe, line, color=colour, marker=marker, ls=dash, ms=5,
                    label=LABELS[solver],
                )  # fmt: skip
            axis.set(yscale="log", xticks=config.nfe)
            axis.grid(alpha=0.3, which="both")
        level, error = exact["frechet"], sampling_error(exact)
        axes[1, column].axhspan(
            level - error, level + error, color="0.85", label="sampling error"
        )
        axes[1, column].axhline(level, color="black", lw=1, label="exact solutions")
        axes[0, column].set_title(name)
        axes[1, column].set_xlabel("NFE")
    axes[0, 0].set_ylabel("RMSE to the exact solution")
    axes[1, 0].set_ylabel("Frechet distance to the data")
    handles = axes[1, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=6, fontsize=8)
    figure.savefig(HERE / "losses.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    stored = {}
    for name in MODELS:
        results = harness.Results(
            HERE / "results" / f"losses-{name}.json", config.settings()
        )
        if results.rows:
            stored[name] = results
    lines = verdict(config, stored)
    for name, results in stored.items():
        lines += page(config, name, results)
    machine = f"Seed {config.setup.seed}. {harness.machine()}."
    harness.write_block(HERE / "README.md", "losses", [*lines, machine])
    draw(config, stored)


if __name__ == "__main__":
    main(tyro.cli(Config))

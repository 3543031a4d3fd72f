"""The tables, the sentences and the figure of the loss ablation."""

from pathlib import Path

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.ablations.losses.measure import LABELS, LOSSES, MODELS, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    stored = harness.stored(config.results, MODELS)
    lines = verdict(config, stored)
    for name, results in stored.items():
        lines += page(config, name, results)
    last = f"Seed {config.setup.seed}. {harness.hardware(stored.values())}."
    pages.write(HERE, "losses", [*lines, last])
    draw(config, stored)


def sampling_error(exact: dict) -> float:
    """How far two disjoint sets of half the samples are apart."""
    return abs(exact["frechet_first"] - exact["frechet_last"])


def page(config: Config, name: str, results: harness.Results) -> list[str]:
    """The tables and sentences of one model."""
    row = lambda solver, nfe: results.get(solver=solver, nfe=nfe)
    exact = results.get(solver="exact")
    error, nfes = sampling_error(exact), config.nfe
    column = lambda key: [
        (label, [row(solver, nfe)[key] for nfe in nfes])
        for solver, label in LABELS.items()
    ]
    lines = [
        *pages.table(f"{name}: RMSE (test noises) at NFE", nfes, column("rmse")),
        "",
        *pages.table(
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
    """How far the bound is above the RMSE, for three values of L_tau."""
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
    """RMSE above Frechet distance, a column for each model."""
    figure, axes = bj.plots.panels(2, len(stored), size=(3.6, 3), sharex=True)
    looks = bj.plots.looks(LABELS.values())
    for column, (name, results) in zip(axes.T, stored.items(), strict=True):
        for axis, key in zip(column, ("rmse", "frechet"), strict=True):
            at = lambda solver, n, k=key, of=results: of.get(solver=solver, nfe=n)[k]
            found = {s: {n: at(s, n) for n in config.nfe} for s in LABELS}
            bj.plots.draw(axis, figures.lines(found, LABELS), looks)
            bj.plots.dress(axis, log="y", xticks=config.nfe)
        exact = results.get(solver="exact")
        level, error = exact["frechet"], sampling_error(exact)
        low, high = level - error, level + error
        column[1].axhspan(low, high, color="0.85", label="sampling error")
        column[1].axhline(level, color="black", lw=1, label="exact solutions")
        column[0].set_title(name)
        column[1].set_xlabel("NFE")
    axes[0, 0].set_ylabel("RMSE to the exact solution")
    axes[1, 0].set_ylabel("Frechet distance to the data")
    bj.plots.legend(figure)
    figures.save(figure, HERE / "losses.png")

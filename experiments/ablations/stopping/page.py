"""The tables, the sentences and the figure of the two stopping criteria."""

from pathlib import Path

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.ablations.stopping.measure import LOSSES, MODELS, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
CRITERIA = {"rmse": "validation RMSE", "frechet": "Frechet distance"}
LOOKS = {
    "bound": {"color": "tab:blue", "ls": "--"},
    "direct": {"color": "black", "ls": "-"},
}
MARKS = {"rmse": {"marker": "o", "ms": 5}, "frechet": {"marker": "s", "ms": 10}}


def sheet(text: str) -> np.ndarray:
    """(9, 9 count) pixels of stored samples, a grey line between images."""
    pixels = harness.shades(text).reshape(-1, 8, 8)
    framed = np.pad(pixels, ((0, 0), (0, 1), (0, 1)), constant_values=128)
    return np.concatenate(list(framed), axis=1)


def sampling_error(exact: harness.Row) -> float:
    """How far the exact samples' distances on two disjoint sets of noises are apart."""
    return abs(exact["selecting"] - exact["frechet"])


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    complete = 1 + len(LOSSES)  # rows; another process may still be at work
    stored = harness.stored(config.results, MODELS, complete=complete)
    lines = []
    columns = ("iterate", "test RMSE", "Frechet", "Frechet / ground truth's")
    outcomes = []
    for name, results in stored.items():
        exact = results.get(loss="exact")
        error = sampling_error(exact)
        body = [("ground truth", [None, 0.0, exact["frechet"], 1.0])]
        for loss in LOSSES:
            chosen = results.get(loss=loss)["chosen"]
            for criterion, label in CRITERIA.items():
                row = chosen[criterion]
                ratio = row["frechet"] / exact["frechet"]
                cells = [row["iteration"], row["rmse"], row["frechet"], ratio]
                body.append((f"{loss} loss, best {label}", cells))
            outcomes.append((name, loss, chosen["rmse"], chosen["frechet"], error))
        corner = f"{name}, NFE {config.nfe}"
        lines += [*pages.table(corner, columns, body), ""]
        lines += [
            f"{name}: sampling error of the distance {error:.2g} (ground truth on two "
            f"disjoint sets of {config.frechet // 2} noises: {exact['selecting']:.4g} "
            f"and {exact['frechet']:.4g}).",
            "",
        ]
    lines += [*verdict(outcomes), ""]
    setup = config.setup
    lines += [
        f"Seed {setup.seed}; an iterate kept every {config.every} of "
        f"{config.iterations} iterations of {setup.batch_size} paths, iterate 0 is RK2 "
        f"(midpoint); {setup.validation} validation and {setup.test} test noises; "
        f"Frechet distances select on {config.frechet // 2} noises and are reported on "
        f"as many others. {harness.hardware(stored.values())}."
    ]
    pages.write(HERE, "stopping", lines)
    draw(config, stored)


def verdict(outcomes: list[tuple[str, str, dict, dict, float]]) -> list[str]:
    """What the choice of the criterion changes, by figures of other noises."""
    same = sum(a["iteration"] == b["iteration"] for *_, a, b, _ in outcomes)
    gains = [(a["frechet"] - b["frechet"], error) for *_, a, b, error in outcomes]
    within = sum(abs(gain) <= error for gain, error in gains)
    lower = sum(gain > error for gain, error in gains)
    costs = [b["rmse"] / a["rmse"] - 1 for *_, a, b, _ in outcomes]
    changes = [b["frechet"] / a["frechet"] - 1 for *_, a, b, _ in outcomes]
    spread = lambda values: pages.span(values, "+.1%")
    return [
        f"Both criteria choose the same iterate in {same} of {len(outcomes)} fits. "
        "Selecting on the Frechet distance instead of validation RMSE changes the "
        f"reported distance by {spread(changes)} and the test RMSE by {spread(costs)}; "
        f"the two distances are within the sampling error of each other in {within} "
        f"of {len(outcomes)} fits, and the Frechet criterion's is lower by more than "
        f"that in {lower}."
    ]


def draw(config: Config, stored: dict[str, harness.Results]) -> None:
    """Both criteria during a fit, and the samples of the iterates that they choose."""
    size = (13, 3.2 * len(stored))
    figure, axes = figures.uneven(len(stored), (1, 1, 1.5), size)
    for line, (name, results) in zip(axes, stored.items(), strict=True):
        exact = results.get(loss="exact")
        level, error = exact["selecting"], sampling_error(exact)
        low, high = level - error, level + error
        line[1].axhline(level, color="0.4", ls=":", label="ground truth")
        line[1].axhspan(low, high, color="0.85", label="sampling error of that")
        for loss, look in LOOKS.items():
            row = results.get(loss=loss)
            draw_curves(config, line[:2], f"{loss} loss", look, row)
        draw_samples(line[2], name, results)
        ylabels = ("validation RMSE (pixels, -1 to 1)", "Frechet distance (selecting)")
        for axis, ylabel in zip(line, ylabels, strict=False):
            title = f"{name}, NFE {config.nfe}"
            bj.plots.dress(
                axis, title=title, xlabel="iteration", ylabel=ylabel, log="y"
            )
            axis.yaxis.set_minor_formatter("{x:.3g}")
            axis.tick_params(which="both", labelsize=7)
    bj.plots.legend(figure, columns=4)
    figures.save(figure, HERE / "stopping.png")


def draw_curves(
    config: Config, axes: np.ndarray, name: str, look: dict, row: harness.Row
) -> None:
    """Both criteria against iterations, with a mark at what each of them chooses."""
    at = np.arange(0, config.iterations + 1, config.every)
    for axis, kind in zip(axes, CRITERIA, strict=True):
        values = row["curves"][kind]
        axis.plot(at, values, label=name, **look)
        for criterion, mark in MARKS.items():
            i = row["chosen"][criterion]["iteration"]
            axis.plot(
                i, values[i // config.every], ls="", mfc="none", mew=1.4,
                color=look["color"], **mark,
                label=f"{name}, best {CRITERIA[criterion]}",
            )  # fmt: skip


def draw_samples(axis: figures.Axes, name: str, results: harness.Results) -> None:
    """Exact samples above those of every choice."""
    found = {"exact": results.get(loss="exact")["images"]}
    for loss in LOOKS:
        chosen = results.get(loss=loss)["chosen"]
        for criterion, label in CRITERIA.items():
            found[f"{loss} loss, best\n{label}"] = chosen[criterion]["images"]
    images = np.concatenate([sheet(text) for text in found.values()])
    axis.imshow(images, cmap="gray", vmin=0, vmax=255)
    axis.set_yticks(9 * np.arange(len(found)) + 3.5, found, fontsize=7)
    axis.set_xticks([])
    axis.set_title(f"{name}: a column is one noise", fontsize=10)

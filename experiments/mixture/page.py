"""The tables and the figure of the tailored solvers on mixtures."""

from pathlib import Path

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.harness import figures, pages
from experiments.mixture.measure import OLSS, PEERS, Config

HERE = Path(__file__).parent
MEDIANS = (
    "best training-free peer",
    "best learned peer",
    "to reach",
    "best training-free here",
    "OLSS",
    "tailor",
    "tailor, worst mixture",
    "flip rate",
    "evaluations",
    "seconds, longest fit",
)
MEANS = (
    'mean, judge="median"',
    'mean, judge="mean"',
    'median, judge="median"',
    'median, judge="mean"',
)
RIVALS = ("best training-free peer", "best learned peer")
OURS = {
    "best training-free here": ("median", "free_median"),
    "OLSS": (OLSS, "median"),
    "tailor": ("median", "median"),
}


def column(results: harness.Results, nfe: int, by: str, key: str) -> list[float]:
    """An entry of all rows at one NFE, one for each mixture."""
    return [row[key] for row in results.rows if (row["nfe"], row["by"]) == (nfe, by)]


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    results = config.results()
    at = lambda nfe, by, key: column(results, nfe, by, key)
    middle = lambda nfe, by, key: float(np.median(at(nfe, by, key)))
    medians, means, order = [], [], list(PEERS)
    for nfe, peers in PEERS.items():
        spent = max(at(nfe, "median", "evaluations"))
        cells = [
            *peers,
            middle(nfe, "median", "free_median"),
            middle(nfe, OLSS, "median"),
            middle(nfe, "median", "median"),
            float(max(at(nfe, "median", "median"))),
            f"{100 * middle(nfe, 'median', 'flips'):.2g} %",
            f"{spent:,.0f}",
            float(max(at(nfe, "median", "fit_seconds"))),
        ]
        medians.append((str(nfe), cells))
        pair = [float(np.mean(at(nfe, by, "mean"))) for by in ("median", "mean")]
        pair += [middle(nfe, by, "median") for by in ("median", "mean")]
        means.append((str(nfe), pair))
    median = lambda seed, nfe: results.get(seed=seed, nfe=nfe, by="median")["median"]
    worse = [
        (seed, n)
        for seed in config.seeds
        for m, n in zip(order, order[1:], strict=False)
        if median(seed, n) > median(seed, m)
    ]
    missed = [n for n in order if middle(n, "median", "median") > PEERS[n][2]]
    lines = [
        *pages.table("NFE", MEDIANS, medians),
        "",
        f"Median over {len(config.seeds)} mixtures of the median error; solvers are "
        'fitted with judge="median". '
        + (f"Not reached at NFE {missed}. " if missed else "All reached. ")
        + (f"Worse than the NFE before: {worse}. " if worse else "")
        + ("" if worse else "No NFE is worse than a smaller one on any mixture. ")
        + f"{config.fitting} fitting and {config.test} test noises; evaluations are "
        "the most that a fit spent beyond its ground truth. "
        f"{results.machine}.",
        "",
        *pages.table("NFE", MEANS, means),
        "",
        "What the judge changes: the mean over the mixtures of the mean error, and the "
        "median as above.",
    ]
    pages.write(HERE, "tailor", lines)
    draw(results)


def draw(results: harness.Results) -> None:
    """Median RMSE against NFE, with the range over the mixtures."""
    order = list(PEERS)
    peers = {name: {n: PEERS[n][i] for n in order} for i, name in enumerate(RIVALS)}
    found = figures.lines(peers)
    for name, (by, key) in OURS.items():
        values = [column(results, nfe, by, key) for nfe in order]
        middle, low, high = ([f(v) for v in values] for f in (np.median, min, max))
        found[name] = bj.plots.Line(order, middle, low, high)
    figure = bj.plots.error_against_nfe(
        {"": found},
        fitted=("tailor",),
        ylabel="median RMSE to the exact solution",
        note="bands: from the smallest to the largest of the mixtures",
    )
    figure.set_size_inches(7, 5)
    figures.save(figure, HERE / "rmse_nfe.png")

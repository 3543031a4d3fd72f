"""The table and the figure of the tailored solvers on mixtures."""

from pathlib import Path

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.harness import figures, pages
from experiments.mixture.measure import PEERS, Config

HERE = Path(__file__).parent
COLUMNS = (
    "best training-free peer",
    "best learned peer",
    "to reach",
    "best training-free here",
    "tailor",
    "tailor, worst mixture",
    "flip rate",
    "seconds, longest fit",
)
RIVALS = ("best training-free peer", "best learned peer")
OURS = {"free_median": "best training-free here", "median": "tailor"}


def column(results: harness.Results, nfe: int, key: str) -> list[float]:
    """An entry of all rows at one NFE, one for each mixture."""
    return [row[key] for row in results.rows if row["nfe"] == nfe]


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    results = config.results()
    at = lambda nfe, key: column(results, nfe, key)
    middle = lambda nfe, key: float(np.median(at(nfe, key)))
    body = []
    for nfe, peers in PEERS.items():
        cells = [
            *peers,
            middle(nfe, "free_median"),
            middle(nfe, "median"),
            float(max(at(nfe, "median"))),
            f"{100 * middle(nfe, 'flips'):.2g} %",
            float(max(at(nfe, "fit_seconds"))),
        ]
        body.append((str(nfe), cells))
    order = list(PEERS)
    median = lambda seed, nfe: results.get(seed=seed, nfe=nfe)["median"]
    worse = [
        (seed, n)
        for seed in config.seeds
        for m, n in zip(order, order[1:], strict=False)
        if median(seed, n) > median(seed, m)
    ]
    missed = [n for n in order if middle(n, "median") > PEERS[n][2]]
    lines = [
        *pages.table("NFE", COLUMNS, body),
        "",
        f"Median over {len(config.seeds)} mixtures. "
        + (f"Not reached at NFE {missed}. " if missed else "All reached. ")
        + (f"Worse than the NFE before: {worse}. " if worse else "")
        + ("" if worse else "No NFE is worse than a smaller one on any mixture. ")
        + f"{config.fitting} fitting and {config.test} test noises, at most "
        f"{config.seconds:g} s a fit. {results.machine}.",
    ]
    pages.write(HERE, "tailor", lines)
    draw(results)


def draw(results: harness.Results) -> None:
    """Median RMSE against NFE, with the range over the mixtures."""
    order = list(PEERS)
    peers = {name: {n: PEERS[n][i] for n in order} for i, name in enumerate(RIVALS)}
    found = figures.lines(peers)
    for key, name in OURS.items():
        values = [column(results, nfe, key) for nfe in order]
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

"""The picture and the table at the top of the project's README."""

from pathlib import Path

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models
from experiments.digits.headline.measure import USUAL, Config
from experiments.digits.tailor import measure as tailor
from experiments.digits.training_free import measure as training_free
from experiments.digits.training_free import page as training_free_page
from experiments.harness import figures, pages

HERE = Path(__file__).parent


def fitted(config: Config) -> dict[int, float]:
    """NFE to RMSE of the fitted solvers."""
    found = tailor.Config().results(config.model).rows
    rows = [row for row in found if row["kind"] == "best"]
    return {row["nfe"]: row["rmse"] for row in rows}


def generic(config: Config, solver: str | None = None) -> dict[int, float]:
    """NFE to RMSE of the best generic solver, or of one on its best grid."""
    lowest = lambda n: config.generic(n)[config.best(n, solver)]
    return {n: lowest(n) for n in training_free.Config().nfe}


def write(config: Config) -> None:
    """Write the block in the README of the project, and its picture."""
    ours, theirs = fitted(config), generic(config)
    needed = lambda n: min((m for m, e in theirs.items() if e <= ours[n]), default=None)
    body = [
        ("error of the best generic solver", [theirs[n] for n in config.nfe]),
        ("error of the fitted solver", [ours[n] for n in config.nfe]),
        (
            "evaluations that the best generic solver needs for that error",
            [needed(n) for n in config.nfe],
        ),
    ]
    results = {config.model: training_free.Config().results(config.model)}
    solvers, grids = training_free_page.measured(results), len(training_free.GRIDS)
    lines = [
        "![Digits from the same noise by the exact solution, DDIM, the best generic "
        "solver and the fitted one; error against network evaluations]"
        "(experiments/digits/headline/headline.png)",
        "",
        *pages.table("network evaluations per sample", config.nfe, body),
        "",
        "The model is a diffusion model of handwritten digits that comes with the "
        "package. The error is the RMSE to the exact solution of the sampling ODE from "
        "the same noise, pixels on [-1, 1]. The best generic solver is the best of "
        f"{solvers} solvers on {grids} time grids at each number of evaluations, "
        "chosen with the result known. The picture has the first noises of a seed. All "
        "of it is written by `uv run python -m experiments.digits.headline`.",
    ]
    pages.write(HERE.parents[2], "headline", lines)
    draw(config)


def draw(config: Config) -> None:
    """Samples on the left, error against network evaluations on the right."""
    results = config.results()
    rows = {
        kind: results.get(kind=kind) for kind in ("exact", "usual", "best", "fitted")
    }
    nfe = f"{config.shown} evaluations"
    labels = {
        "exact": f"exact solution\n{rows['exact']['nfe']:.0f} evaluations",
        "usual": f"{USUAL.upper()}\n{nfe}",
        "best": f"best generic solver\n{nfe}",
        "fitted": f"fitted solver\n{nfe}",
    }
    figure, ((left, right),) = figures.uneven(1, (2, 1), (11, 3.3))
    side = models.RECIPES[config.model].size
    images = [harness.shades(row["images"]) for row in rows.values()]
    figures.gallery(left, [x.reshape(-1, side, side) for x in images])
    centres = [(side + 1) * (i + 0.5) - 0.5 for i in range(len(rows))]
    left.set_yticks(centres, labels.values())
    left.tick_params(length=0)
    left.set_title("samples from the same noise", fontsize=10)
    found = {
        USUAL.upper(): generic(config, USUAL),
        "best generic solver": generic(config),
        "fitted solver": fitted(config),
    }
    looks = bj.plots.looks(found, fitted=("fitted solver",))
    bj.plots.draw(right, figures.lines(found), looks)
    bj.plots.dress(
        right,
        title="error to the exact solution",
        xlabel="network evaluations per sample",
        log="xy",
        xticks=(4, 6, 8, 10, 16, 20),
    )
    right.legend(fontsize=9)
    figures.save(figure, HERE / "headline.png")

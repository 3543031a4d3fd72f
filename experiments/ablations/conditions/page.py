"""The tables, the sentences and the figure of one solver for all guidance weights."""

from pathlib import Path

import numpy as np

from experiments import harness
from experiments.ablations.conditions.measure import Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
ALLOWED = 1.10  # times the RMSE of the native fit

Table = dict[str, np.ndarray]
"""What the solvers are called to their RMSE, (NFE, weights)."""


def label(fit: tuple[int, int]) -> str:
    """What a fit for all weights is called."""
    return f"one fit, degree {fit[0]}, {fit[1]} paths"


def measured(config: Config, results: harness.Results) -> dict[str, harness.Row]:
    """The fits for all weights that were measured, by label."""
    has = lambda d, n: any(r.get("degree") == d and r["paths"] == n for r in ones)
    ones = [row for row in results.rows if "degree" in row]
    return {
        label(fit): results.get(degree=fit[0], paths=fit[1])
        for fit in config.fits
        if has(*fit)
    }


def errors(config: Config, results: harness.Results) -> Table:
    """The RMSE of everything, in the order of the tables."""
    own = [results.get(native=w) for w in config.weights]
    place = lambda row, w: row["used"].index(w)
    at = lambda row, w: np.array(row["rmse"])[:, place(row, w)]
    native = [at(row, w) for row, w in zip(own, config.weights, strict=True)]
    away = results.get(native=config.elsewhere)
    found = {k: np.array(row["rmse"]) for k, row in measured(config, results).items()}
    found["native fits"] = np.stack(native, 1)
    elsewhere = f"native fit of w = {config.elsewhere:g}"
    found[elsewhere] = np.stack([at(away, w) for w in config.weights], 1)
    free = np.array([row["free"] for row in own])
    return {**found, "best training-free": free.T}


def verdict(config: Config, name: str, rmse: Table) -> str:
    """How near one fit is to the native ones, and whether it beats what needs none."""
    native = rmse[name] / rmse["native fits"]
    free = rmse[name] / rmse["best training-free"]
    cells = [(n, w) for n in config.nfe for w in config.weights]
    above = [
        f"{ratio:.2f} at NFE {n}, w = {w:g}"
        for (n, w), ratio in zip(cells, native.ravel(), strict=True)
        if ratio > ALLOWED
    ]
    percent = round(100 * (ALLOWED - 1))
    within = f"not within {percent} %: {'; '.join(above)}" if above else (
        f"within {percent} % everywhere"
    )  # fmt: skip
    return (
        f"**{name[0].upper()}{name[1:]}**: {pages.span(native.ravel())} times the RMSE "
        f"of the native fit ({within}), and {pages.span(free.ravel())} times that of "
        f"the best training-free solver."
    )


def costs(config: Config, results: harness.Results) -> list[str]:
    """The table of evaluations; the native fits are taken together."""
    own = [results.get(native=w) for w in config.weights]
    columns = ["ground truth", *(f"search, NFE {n}" for n in config.nfe), "all"]
    row = lambda r: [r["truth"], *r["search"], r["spent"]]
    grouped = lambda values: [f"{value:,}" for value in values]
    body = [(k, grouped(row(r))) for k, r in measured(config, results).items()]
    together = np.sum([row(r) for r in own], axis=0).tolist()
    body.append((f"{len(own)} native fits", grouped(together)))
    return pages.table("evaluations of the guided field", columns, body)


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    results = config.results()
    rmse = errors(config, results)
    lines = [
        "Class-conditional digits with classifier-free guidance, u + w (u - u_uncond). "
        "An evaluation is one of the guided field and costs two of the network. RMSE "
        "to the exact solution (pixels on [-1, 1]), mean over test noises. One fit for "
        f"all w in [{config.low:g}, {config.high:g}] and all NFE is one call of "
        "`bj.tailor`, as is a native fit for one w and all NFE.",
        "",
    ]
    columns = [f"w = {w:g}" for w in config.weights]
    for place, n in enumerate(config.nfe):
        body = [(name, values[place].tolist()) for name, values in rmse.items()]
        lines += [*pages.table(f"NFE {n}: RMSE at", columns, body), ""]
    for name in measured(config, results):
        lines += [verdict(config, name, rmse), ""]
    own = [results.get(native=w) for w in config.weights]
    free = sorted({name for row in own for name in row["solver"]})
    endpoint = max(row["endpoint"] for row in own)
    lines += [
        *costs(config, results),
        "",
        "Best training-free: of those that came last out of the race of every solver "
        "on every grid at this w, the one with the lowest RMSE on the test noises "
        f"({pages.listed(free)}).",
        "",
        f"Seed {config.setup.seed}; {config.paths} paths a native fit, three fifths "
        "to fit, a fifth to choose and a fifth to score; "
        f"{config.setup.test} test noises at each w. Ground truth: the end points of "
        f"the certificates are within {endpoint:.1g} (RMS, worst sample) of a ten "
        f"times tighter solve. {results.machine}.",
    ]
    pages.write(HERE, "conditions", lines)
    draw(config, rmse)


def draw(config: Config, rmse: Table) -> None:
    """RMSE against w, a panel for each NFE."""
    lines = lambda place: {
        name: dict(zip(config.weights, values[place].tolist(), strict=True))
        for name, values in rmse.items()
    }
    panels = {f"{n} NFE": lines(place) for place, n in enumerate(config.nfe)}
    figure = figures.chart(
        panels,
        xlabel="guidance weight w",
        ylabel=figures.ERROR,
        log="y",
        xticks=config.weights,
        fitted=[label(config.fits[0])],
        sharey=False,
    )
    figures.save(figure, HERE / "conditions.png")

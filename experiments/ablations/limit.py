"""What happens to theta as n grows: are the learned t_r and s_r converging?

    uv run python -m experiments.ablations.limit

RK2 fits of the RMSE bound (the paper's loss) and of the direct loss; those up to 24
evaluations are the fits of `experiments.digits.solvers`. The gauge is fixed, and a
third curve needs no gauge: the effective drift. A step is, to first order in u,

    x_{i+1} = (C + D P) x_i + (D Q + E) u,

and a scale-time map whose s' is the derivative of its s has C + D P = 1 + O(h^3); the
drift n (C + D P - 1) says how far the learned numbers are from such a map. Writes
`results/limit-*.json`, `limit.png` and a block of README.md.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.ablations.time_scale import curve, gauge_fixed
from experiments.digits import models

matplotlib.use("Agg")
HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")
LOSSES = {
    "bound": ("RMSE bound", bj.losses.rmse_bound),
    "bespoke": ("direct RMSE", harness.DIRECT),
}
GRID = np.linspace(0.0, 1.0, 401)  # of r


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    n: tuple[int, ...] = (2, 3, 4, 5, 8, 10, 12, 16, 20)  # steps, of the bound
    direct: tuple[int, ...] = (2, 3, 4, 5, 8, 10, 12)
    repeat: int = 4  # steps of a second fit of the bound, with other batches
    setup: harness.Setup = harness.Setup()

    def stored(self, name: str) -> harness.Results:
        """What was computed with these settings for a model."""
        own = ("n", "direct", "repeat")
        settings = {k: getattr(self, k) for k in own} | self.setup.described()
        return harness.Results(HERE / "results" / f"limit-{name}.json", settings)

    def steps(self, loss: str) -> tuple[int, ...]:
        return self.n if loss == "bound" else self.direct

    def tasks(self) -> list[tuple[str, int, int]]:
        """(loss, n, batches) of every fit."""
        tasks = [(loss, n, 0) for loss in LOSSES for n in self.steps(loss)]
        return [*tasks, ("bound", self.repeat, 1)]


def measure(config: Config, name: str) -> None:
    model = models.load(name)
    results = config.stored(name)
    truth = harness.truth(config.setup, model)

    def one(loss: str, n: int, batches: int) -> dict[str, Any]:
        family = bj.families.scale_time(n, end=model.end)
        # The paths are given: of the set-up's seed, only the batches depend on it.
        setup = replace(config.setup, seed=config.setup.seed + batches)
        suffix = f"-batches{batches}" if batches else ""
        fitted = harness.fitted(
            setup,
            model.field,
            truth,
            family,
            f"{name}-{loss}-midpoint-{2 * n}{suffix}",
            loss=LOSSES[loss][1],
        )
        theta, values = gauge_fixed(family, fitted.solver)
        step = jax.jit(family.effective)(theta)
        return {
            "validation": fitted.validation_rmse,
            "validation_start": fitted.start_validation_rmse,
            "r": curve(values["r"]),
            "t": curve(values["t"], model.end),
            "s": curve(values["s"]),
            "drift": curve(n * (step["C"] + step["D"] * step["P"] - 1)),
        }

    for loss, n, batches in config.tasks():
        key = {"loss": loss, "n": n, "batches": batches}
        results.once(key, lambda task=(loss, n, batches): one(*task))


def on_grid(row: dict) -> tuple[np.ndarray, np.ndarray]:
    """t_r / end and log s_r, linear between the nodes."""
    r = np.array(row["r"])
    return np.interp(GRID, r, row["t"]), np.interp(GRID, r, np.log(row["s"]))


def distances(a: dict, b: dict) -> tuple[float, ...]:
    """Largest differences of t_r / end and of log s_r."""
    pairs = zip(on_grid(a), on_grid(b), strict=True)
    return tuple(float(np.abs(x - y).max()) for x, y in pairs)


def slope(n: tuple[int, ...], distance: list[float]) -> tuple[float, float]:
    """Log-log slope of the distance per unit of log n, and its standard error.

    The steps from one n to the next differ in ratio; where values approach a limit
    like n^-p, the distance over log(n' / n) falls with that very power.
    """
    pairs = np.array(list(pairwise(n)), float)
    ratio = np.log(pairs[:, 1] / pairs[:, 0])
    x = np.log(pairs).mean(axis=1)
    y = np.log(np.maximum(distance, 1e-12) / ratio)
    x = x - x.mean()
    value = x @ y / (x @ x)
    rest = y - y.mean() - value * x
    freedom = len(y) - 2
    error = np.sqrt(rest @ rest / freedom / (x @ x)) if freedom > 0 else np.inf
    return float(value), float(error)


def trend(n: tuple[int, ...], distance: list[float]) -> tuple[str, str]:
    """What a distance does as n grows, in one word, and the slope that says so."""
    value, error = slope(n, distance)
    word = "shows no clear trend"
    if abs(value) > 2 * error:
        word = "shrinks" if value < 0 else "grows"
    return word, f"{value:.2f} +- {error:.2f}"


def write_page(config: Config) -> None:
    shown = {name: config.stored(name) for name in MODELS}
    # Another process may still be at work on its model.
    shown = {k: v for k, v in shown.items() if len(v.rows) == len(config.tasks())}
    heads = [f"{a} to {b}" for a, b in pairwise(config.n)]
    lines, words = [], []
    for name, results in shown.items():
        body, notes = [], []
        for loss, (label, _) in LOSSES.items():
            n = config.steps(loss)
            rows = [results.get(loss=loss, n=k, batches=0) for k in n]
            gaps = [distances(*pair) for pair in pairwise(rows)]
            found = dict(zip(pairwise(n), gaps, strict=True))
            for i, symbol in enumerate(("t_r / end", "log s_r")):
                cells = [found.get(p, (None, None))[i] for p in pairwise(config.n)]
                body.append((f"{symbol}, {label}", cells))
            trends = [trend(n, list(each)) for each in zip(*gaps, strict=True)]
            words.append([word for word, _ in trends])
            notes.append(note(f"{name}, {label}", n, rows, gaps[-1], trends))
        first, again = (
            results.get(loss="bound", n=config.repeat, batches=k) for k in (0, 1)
        )
        t, s = distances(first, again)
        lines += [*harness.table(f"{name}: from n to n", heads, body), "", *notes]
        lines += [
            f"- Two fits of the bound at n = {config.repeat} that differ in nothing "
            f"but batches are {t:.2g} apart in t_r / end and {s:.2g} in log s_r.",
            "",
        ]
    setup = config.setup
    t, s = (sum(pair[i] == "shrinks" for pair in words) for i in (0, 1))
    lines += [
        f"From one n to the next the curves come closer as n grows, t_r in {t} and s_r "
        f"in {s} of {len(words)} series of fits (models and losses).",
        "",
        "Largest difference between the curves of one n and the next, linear between "
        "nodes; s at inner nodes is sqrt(s_i s_{i+1}), which changes no solver. Slope: "
        "of log(distance / log(n'/n)) against log n, with its standard error; a trend "
        "is a slope off zero by more than two of them. Fits of "
        f"{setup.iterations} iterations of {setup.batch_size} paths from the identity, "
        f"seed {setup.seed}. {harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "limit", lines)
    draw(config, shown)


def note(
    title: str,
    n: tuple[int, ...],
    rows: list[dict],
    gap: tuple[float, ...],
    trends: list[tuple[str, str]],
) -> str:
    """Whether the curves of one loss come together, and whether at the identity."""
    r = rows[-1]["r"]
    away = distances(rows[-1], {"r": r, "t": r, "s": np.ones(len(r))})
    moved = [k for k, a, b in zip(("t_r", "s_r"), away, gap, strict=True) if a > b]
    drift = [float(np.abs(row["drift"]).max()) for row in rows]
    stuck = sum(row["validation"] >= row["validation_start"] for row in rows)
    (t, slope_t), (s, slope_s) = trends
    return (
        f"- {title}: as n grows the distance in t_r {t} (slope {slope_t}), in log s_r "
        f"it {s} (slope {slope_s}). At n = {n[-1]} they are {away[0]:.2g} and "
        f"{away[1]:.2g} from the identity (further than from the n before: "
        f"{' and '.join(moved) or 'neither'}). Largest effective drift {drift[0]:.2g} "
        f"at n = {n[0]}, {drift[-1]:.2g} at n = {n[-1]}. Fits that found nothing "
        f"better than the identity: {stuck} of {len(rows)}."
    )


def draw(config: Config, shown: dict[str, harness.Results]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(shown), 3, figsize=(13, 3.4 * len(shown)), sharex=True, squeeze=False
    )
    shades = plt.get_cmap("viridis_r")(np.linspace(0.12, 1.0, len(config.n)))
    markers = "osv^DPX*h"
    for line, (name, results) in zip(axes, shown.items(), strict=True):
        for axis, identity in zip(line, ([0, 0], [1, 1], [0, 0]), strict=True):
            axis.plot([0, 1], identity, color="0.5", ls="--", label="identity (RK2)")
            axis.set_title(f"{name}, RMSE bound", fontsize=10)
            axis.grid(alpha=0.3)
        for i, n in enumerate(config.n):
            row = results.get(loss="bound", n=n, batches=0)
            style = {
                "color": shades[i],
                "marker": markers[i % len(markers)],
                "ms": 3.5,
                "lw": 1.2,
                "label": f"n = {n}",
            }
            # The departure: beside r itself the curves could not be told apart.
            line[0].plot(row["r"], np.subtract(row["t"], row["r"]), **style)
            line[1].plot(row["r"], row["s"], **style)
            middles = (np.arange(n) + 0.5) / n
            line[2].plot(middles, row["drift"], **style)
        line[0].set_ylabel("time: $t_r$ / end $-$ r")
        line[1].set_ylabel("scale $s_r$")
        line[2].set_ylabel("effective drift $n (C + D P - 1)$")
    for axis in axes[-1]:
        axis.set_xlabel("solver time r")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5, fontsize=9)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "limit.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

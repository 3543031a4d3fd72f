"""Is time or scale the part that matters? RK2-Bespoke with one of the two fixed.

    uv run python -m experiments.ablations.time_scale

`learn="time"` fixes s = 1 and s' = 0, `learn="scale"` fixes t_r = end r and t' = end;
both learned is the fit of `experiments.digits.solvers`. Direct RMSE loss; the figures
are from test noises. `--models eps_vp` does one model; the page is written from all
that are there. Writes `results/time_scale-*.json`, `time_scale.png` and a block of
README.md.
"""

from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

matplotlib.use("Agg")
HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")
BASE = "none"  # nothing learned: midpoint itself
LABELS = {
    BASE: "RK2 (midpoint)",
    "time": "time only",
    "scale": "scale only",
    "both": "time and scale",
}
STYLES = {
    "time": ("tab:blue", "--", "s"),
    "scale": ("tab:orange", ":", "^"),
    "both": ("black", "-", "o"),
}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: tuple[int, ...] = (4, 8, 16)  # the largest is drawn
    setup: harness.Setup = harness.Setup()

    def stored(self, name: str) -> harness.Results:
        """What was computed with these settings for a model."""
        settings = {"nfe": self.nfe, **self.setup.described()}
        return harness.Results(HERE / "results" / f"time_scale-{name}.json", settings)


def gauge_fixed(family: bj.Family, solver: bj.Solver) -> tuple[Any, dict[str, Any]]:
    """(theta, values at the nodes) of a solver of a midpoint family.

    s at an inner node may be anything without a change of the solver; the way back
    from the solver makes it sqrt(s_i s_{i+1}), so that fits can be compared.
    """
    theta = family.init(solver)
    return theta, jax.jit(family.values)(theta)


def curve(values: Any, scale: float = 1.0) -> list[float]:
    """Numbers for a JSON file, to about the digits that they have."""
    return [float(f"{v:.6g}") for v in np.asarray(values, np.float64) / scale]


def measure(config: Config, name: str) -> None:
    model = models.load(name)
    results = config.stored(name)
    truth = harness.truth(config.setup, model)

    def one(learn: str, nfe: int) -> dict[str, Any]:
        if learn == BASE:
            solver = bj.solvers.construct("midpoint", nfe, end=model.end)
            return {
                **harness.errors(model.field, solver, truth.test),
                "parameters": 0,
            }
        family = bj.families.scale_time(nfe // 2, learn=learn, end=model.end)
        kind = "bespoke" if learn == "both" else learn
        fitted = harness.fitted(
            config.setup,
            model.field,
            truth,
            family,
            f"{name}-{kind}-midpoint-{nfe}",
            loss=harness.DIRECT,
        )
        if learn == "both":
            _, values = gauge_fixed(family, fitted.solver)
        else:  # what is fixed leaves no choice
            values = jax.jit(family.values)(fitted.theta)
        return {
            **harness.errors(model.field, fitted.solver, truth.test),
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(fitted.theta)),
            "validation": fitted.validation_rmse,
            "r": curve(values["r"]),
            "t": curve(values["t"], model.end),
            "s": curve(values["s"]),
        }

    for nfe in config.nfe:
        for learn in LABELS:
            key = {"learn": learn, "nfe": nfe}
            results.once(key, lambda task=(learn, nfe): one(*task))


def share(base: float, part: float, both: float) -> float | None:
    """How much of the gain of both, on a log scale, a part reaches; None if no gain."""
    return log(base / part) / log(base / both) if both < base else None


def shares(config: Config, results: harness.Results) -> dict[str, list[float | None]]:
    """The shares of time and of scale alone at each NFE."""
    at = lambda learn, nfe: results.get(learn=learn, nfe=nfe)["rmse"]
    return {
        learn: [
            share(at(BASE, nfe), at(learn, nfe), at("both", nfe)) for nfe in config.nfe
        ]
        for learn in ("time", "scale")
    }


def write_page(config: Config) -> None:
    shown = {name: config.stored(name) for name in MODELS}
    complete = len(LABELS) * len(config.nfe)  # rows; another process may be at work
    shown = {k: found for k, found in shown.items() if len(found.rows) == complete}
    first, *_ = shown.values()
    count = lambda learn, nfe: first.get(learn=learn, nfe=nfe)["parameters"]
    body = [(LABELS[k], [count(k, nfe) for nfe in config.nfe]) for k in STYLES]
    lines = [*harness.table("Free numbers at NFE", config.nfe, body), ""]
    for name, results in shown.items():
        rmse = lambda learn, nfe, of=results: of.get(learn=learn, nfe=nfe)["rmse"]
        body = [(LABELS[k], [rmse(k, nfe) for nfe in config.nfe]) for k in LABELS]
        for learn, line in shares(config, results).items():
            cells = [None if v is None else f"{v:.0%}" for v in line]
            body.append((f"share of the gain, {LABELS[learn]}", cells))
        lines += [*harness.table(f"{name}: RMSE at NFE", config.nfe, body), ""]
    lines += [*verdict(config, shown), ""]
    setup = config.setup
    lines += [
        "Share of the gain: log(RK2 / part) / log(RK2 / both), of test RMSE; above "
        "100 % the part alone did better at this effort. Figure: "
        f"NFE {max(config.nfe)}, t_r over the end of the interval, less r; s at inner "
        "nodes of the fit of both is sqrt(s_i s_{i+1}), which changes no solver. "
        f"Direct loss, seed {setup.seed}, {setup.training} training, "
        f"{setup.validation} validation and {setup.test} test noises, "
        f"{setup.iterations} iterations of "
        f"{setup.batch_size} paths. {harness.machine()}."
    ]
    harness.write_block(HERE / "README.md", "time_scale", lines)
    draw(config, shown)


def verdict(config: Config, shown: dict[str, harness.Results]) -> list[str]:
    """Which part matters more, in how many cases, and what the second one adds."""
    pairs, added = [], []
    for results in shown.values():
        parts = shares(config, results)
        cases = zip(config.nfe, parts["time"], parts["scale"], strict=True)
        for nfe, time, scale in cases:
            one, both = (
                results.get(learn=learn, nfe=nfe)["rmse"] for learn in ("time", "both")
            )
            added.append(both / one - 1)
            if time is not None and scale is not None:
                pairs.append((time, scale))
    if not pairs:
        return ["Learning both parts gains nothing over RK2 in any case."]
    more = sum(time > scale for time, scale in pairs)
    which = "Time" if 2 * more > len(pairs) else "Scale"
    if 2 * more == len(pairs):
        which = "Neither time nor scale"
    times, scales = zip(*pairs, strict=True)
    spread = lambda values: f"{min(values):.0%} to {max(values):.0%}"
    helped = sum(value < 0 for value in added)
    return [
        f"{which} is the part that matters more: time alone reaches {spread(times)} "
        f"of the gain, scale alone {spread(scales)}, and time more than scale in "
        f"{more} of {len(pairs)} cases (models and NFE). Scale added to time changes "
        f"the RMSE by {min(added):+.0%} to {max(added):+.0%} (median "
        f"{float(np.median(added)):+.0%}), and lowers it in {helped} of {len(added)}."
    ]


def draw(config: Config, shown: dict[str, harness.Results]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(shown), 2, figsize=(9, 3 * len(shown)), sharex=True, squeeze=False
    )
    for line, (name, results) in zip(axes, shown.items(), strict=True):
        for axis, symbol in zip(line, "ts", strict=True):
            # Drawn as it is, t_r lies on the diagonal to the eye.
            level, offset = (0, np.asarray) if symbol == "t" else (1, np.zeros_like)
            axis.axhline(level, color="0.6", ls="-.", label="identity (RK2)")
            for learn, (colour, dash, marker) in STYLES.items():
                row = results.get(learn=learn, nfe=max(config.nfe))
                r, value = np.asarray(row["r"]), np.asarray(row[symbol])
                axis.plot(
                    r, value - offset(r), color=colour, ls=dash, marker=marker, ms=4,
                    label=LABELS[learn],
                )  # fmt: skip
            axis.set_title(f"{name}, NFE {max(config.nfe)}", fontsize=10)
            axis.grid(alpha=0.3)
        line[0].set_ylabel("time: $t_r$ / end $-$ r")
        line[1].set_ylabel("scale $s_r$")
    for axis in axes[-1]:
        axis.set_xlabel("solver time r")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize=9)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "time_scale.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

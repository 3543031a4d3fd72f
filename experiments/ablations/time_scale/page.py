"""The tables, the sentences and the figure of time and scale."""

from math import log
from pathlib import Path

import numpy as np

import bespoke_jax as bj
from experiments import harness
from experiments.ablations.time_scale.measure import BASE, LABELS, MODELS, Config
from experiments.harness import figures, pages

HERE = Path(__file__).parent
LEARNED = ("time", "scale", "both")


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


def write(config: Config) -> None:
    """Write the page and the figure from the stored results."""
    complete = len(LABELS) * len(config.nfe)  # rows; another process may be at work
    shown = harness.stored(config.results, MODELS, complete=complete)
    first, *_ = shown.values()
    count = lambda learn, nfe: first.get(learn=learn, nfe=nfe)["parameters"]
    body = [(LABELS[k], [count(k, nfe) for nfe in config.nfe]) for k in LEARNED]
    lines = [*pages.table("Free numbers at NFE", config.nfe, body), ""]
    for name, results in shown.items():
        rmse = lambda learn, nfe, of=results: of.get(learn=learn, nfe=nfe)["rmse"]
        body = [(LABELS[k], [rmse(k, nfe) for nfe in config.nfe]) for k in LABELS]
        for learn, line in shares(config, results).items():
            cells = [None if v is None else f"{v:.0%}" for v in line]
            body.append((f"share of the gain, {LABELS[learn]}", cells))
        lines += [*pages.table(f"{name}: RMSE at NFE", config.nfe, body), ""]
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
        f"{setup.batch_size} paths. {harness.hardware(shown.values())}."
    ]
    pages.write(HERE, "time_scale", lines)
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
    spread = lambda values: pages.span(values, ".0%")
    helped = sum(value < 0 for value in added)
    return [
        f"{which} is the part that matters more: time alone reaches {spread(times)} "
        f"of the gain, scale alone {spread(scales)}, and time more than scale in "
        f"{more} of {len(pairs)} cases (models and NFE). Scale added to time changes "
        f"the RMSE by {min(added):+.0%} to {max(added):+.0%} (median "
        f"{float(np.median(added)):+.0%}), and lowers it in {helped} of {len(added)}."
    ]


def draw(config: Config, shown: dict[str, harness.Results]) -> None:
    """The learned time and scale of every model at the largest NFE."""
    figure, axes = bj.plots.panels(len(shown), 2, size=(4.5, 3), sharex=True)
    looks = bj.plots.looks(LABELS[learn] for learn in LEARNED)
    for pair, (name, results) in zip(axes, shown.items(), strict=True):
        for axis, symbol in zip(pair, "ts", strict=True):
            # Drawn as it is, t_r lies on the diagonal to the eye.
            level, offset = (0, np.asarray) if symbol == "t" else (1, np.zeros_like)
            axis.axhline(level, color="0.6", ls="-.", label="identity (RK2)")
            for learn in LEARNED:
                row = results.get(learn=learn, nfe=max(config.nfe))
                r, value = np.asarray(row["r"]), np.asarray(row[symbol])
                line = {LABELS[learn]: bj.plots.Line(r, value - offset(r))}
                bj.plots.draw(axis, line, looks)
        title = f"{name}, NFE {max(config.nfe)}"
        bj.plots.dress(pair[0], title=title, ylabel="time: $t_r$ / end $-$ r")
        bj.plots.dress(pair[1], title=title, ylabel="scale $s_r$")
    for axis in axes[-1]:
        axis.set_xlabel("solver time r")
    bj.plots.legend(figure, columns=4)
    figures.save(figure, HERE / "time_scale.png")

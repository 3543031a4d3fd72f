"""Peak memory and time per iteration of each loss and mode against the steps n.

    uv run python -m experiments.benchmarks.losses

Digits U-Net, RK2, value and gradient by theta. Every mode is compiled at every n; the
compiled functions are then timed in turn, round after round, so that a drifting machine
speed cancels from the ratios. Writes `losses.json`, `losses.png` and the tables in
README.md.
"""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import jax
import matplotlib
import numpy as np
import tyro
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import timing

matplotlib.use("Agg")
HERE = Path(__file__).parent
MODES = {
    "RMSE bound, all steps in one call": bj.losses.rmse_bound,
    "RMSE bound, one step at a time": partial(bj.losses.rmse_bound, sequential=True),
    "LTE, all steps in one call": bj.losses.lte,
    "LTE, one step at a time": partial(bj.losses.lte, sequential=True),
    "direct RMSE, recomputing": bj.losses.rmse,
    "direct RMSE, keeping activations": partial(bj.losses.rmse, checkpoint=False),
    "RMSE bound, ground truth on line": partial(
        bj.losses.rmse_bound, sequential=True, online=True
    ),
}
FLAT = "RMSE bound, one step at a time"


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    batch: int = 32
    steps: tuple[int, ...] = (2, 4, 8, 12, 16, 24)
    rounds: int = 7


def compiled(loss, family: bj.families.Family, field, paths: bj.Paths):
    """() -> value and gradient; and the peak of its temporaries in MiB."""
    theta = family.init()
    by_theta = lambda theta, field, paths: loss(family, theta, field, paths)
    program = jax.jit(jax.value_and_grad(by_theta)).lower(theta, field, paths).compile()
    return partial(program, theta, field, paths), timing.peak(program) / 2**20


def main(config: Config) -> None:
    model = bj.demo.load(config.model)
    x0, _ = bj.model.noise(model, jax.random.key(0), config.batch)
    paths = bj.reference.solve(model.field, x0, end=model.end)
    paths = paths._replace(stats=None, certificate=None)
    works, rows = {}, []
    for name, loss in tqdm(MODES.items(), desc="compile"):
        for n in config.steps:
            family = bj.families.scale_time(n, end=model.end)
            works[name, n], peak = compiled(loss, family, model.field, paths)
            rows.append({"mode": name, "n": n, "peak_mib": peak})
    spent = timing.in_turn(works, config.rounds, desc="time")
    for row in rows:
        row["seconds"] = float(np.median(spent[row["mode"], row["n"]]))
    result = {"config": asdict(config), "machine": harness.machine(), "rows": rows}
    (HERE / "losses.json").write_text(json.dumps(result, indent=1) + "\n")
    write_page(config, rows)
    draw(config, rows)


def write_page(config: Config, rows: list[dict]) -> None:
    value = {(r["mode"], r["n"]): r for r in rows}
    columns = [f"n = {n}" for n in config.steps]
    body = lambda key, unit: [
        (mode, [unit * value[mode, n][key] for n in config.steps]) for mode in MODES
    ]
    first, last = config.steps[0], config.steps[-1]
    growth = value[FLAT, last]["peak_mib"] / value[FLAT, first]["peak_mib"]
    lines = [
        *harness.table("peak memory, MiB", columns, body("peak_mib", 1.0)),
        "",
        *harness.table("time per iteration, ms", columns, body("seconds", 1e3)),
        "",
        f"{FLAT}: peak memory at n = {last} is {growth:.3f} times that at n = {first}.",
        "",
        f"{config.model} U-Net, RK2, batch {config.batch}, float32; medians of "
        f"{config.rounds} rounds. {harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "losses", lines)


def draw(config: Config, rows: list[dict]) -> None:
    import matplotlib.pyplot as plt

    styles = ["o-", "s--", "^-", "v--", "D-.", "P:", "x:"]
    colours = ["tab:blue", "tab:blue", "0.4", "0.4", "tab:red", "tab:red", "black"]
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    for mode, style, colour in zip(MODES, styles, colours, strict=True):
        mine = [r for r in rows if r["mode"] == mode]
        n = [r["n"] for r in mine]
        axes[0].plot(n, [r["peak_mib"] for r in mine], style, color=colour, label=mode)
        axes[1].plot(n, [1e3 * r["seconds"] for r in mine], style, color=colour)
    for axis, label in zip(
        axes, ("peak memory (MiB)", "time per iteration (ms)"), strict=True
    ):
        axis.set(xlabel="steps n", ylabel=label, yscale="log", xticks=config.steps)
        axis.grid(alpha=0.3, which="both")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(HERE / "losses.png", dpi=120)


if __name__ == "__main__":
    main(tyro.cli(Config))

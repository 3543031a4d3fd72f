"""Two stopping criteria: best validation RMSE against best Frechet distance.

    uv run python -m experiments.ablations.stopping

The paper's tables report the iterate with the best FID, which is also their figure of
merit; its images the one with the best validation RMSE. Here one fit keeps all its
iterates. The Frechet distance (features of the digits classifier, to the data set)
selects on one half of the noises and is reported on the other, so that the choice is
not made on the figure reported. Writes `results/stopping-*.json`, `stopping.png` and a
block of README.md.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import classifier, models

matplotlib.use("Agg")
HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")
LOSSES = {"bound": bj.losses.rmse_bound, "direct": harness.DIRECT}
CRITERIA = {"rmse": "validation RMSE", "frechet": "Frechet distance"}
STYLES = {
    "bound": {"color": "tab:blue", "ls": "--"},
    "direct": {"color": "black", "ls": "-"},
}
MARKS = {"rmse": {"marker": "o", "ms": 5}, "frechet": {"marker": "s", "ms": 10}}
SHOWN = 10  # samples in the figure


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: int = 8
    iterations: int = 200
    every: int = 25  # iterations between the iterates kept
    frechet: int = 4096  # noises: one half selects, the other is reported
    setup: harness.Setup = harness.Setup()

    def stored(self, name: str) -> harness.Results:
        """What was computed with these settings for a model."""
        own = ("nfe", "iterations", "every", "frechet")
        # Last: the iterations are those of this experiment.
        settings = self.setup.described() | {k: getattr(self, k) for k in own}
        return harness.Results(HERE / "results" / f"stopping-{name}.json", settings)


@partial(jax.jit, static_argnames=("config", "family", "loss"))
def iterates(
    config: Config, family: bj.Family, loss: Any, field: Any, paths: bj.Paths
) -> bj.Solver:
    """Stacked solvers after 0, every, 2 every .. steps of Adam with cosine decay."""
    setup, kept = config.setup, config.iterations // config.every
    batch = min(setup.batch_size, paths.size)
    schedule = optax.cosine_decay_schedule(setup.lr, config.every * kept)
    adam = optax.adam(schedule)

    def step(carry, key):
        theta, moments = carry
        index = jax.random.choice(key, paths.size, (batch,), replace=False)
        objective = lambda theta: loss(
            family, theta, field, bj.paths.take(paths, index)
        )
        change, moments = adam.update(jax.grad(objective)(theta), moments)
        return (optax.apply_updates(theta, change), moments), None

    def stretch(carry, keys):
        carry, _ = jax.lax.scan(step, carry, keys)
        return carry, carry[0]

    start = family.init()
    keys = jax.random.split(jax.random.key(setup.seed + 1), (kept, config.every))
    _, thetas = jax.lax.scan(stretch, (start, adam.init(start)), keys)
    thetas = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start, thetas)
    return jax.vmap(family.build)(thetas)


def measure(config: Config, name: str) -> None:
    model = models.load(name)
    results = config.stored(name)
    truth = harness.truth(config.setup, model)
    solve = partial(harness.solved, config.setup, model, config.frechet)
    many = solve(f"{name}-frechet", seed=2000)  # as in the loss ablation
    half = config.frechet // 2
    selecting = bj.paths.take(many, slice(0, half))
    reported = bj.paths.take(many, slice(half, None))
    family = bj.families.scale_time(config.nfe // 2, end=model.end)
    results.once(
        {"loss": "exact"},
        lambda: {
            "selecting": classifier.frechet(selecting.x1),
            "frechet": classifier.frechet(reported.x1),
            "images": packed(reported.x1),
        },
    )

    def one(loss: str) -> dict[str, Any]:
        training = truth.training._replace(stats=None, certificate=None)
        stack = iterates(config, family, LOSSES[loss], model.field, training)
        count = len(stack.end)
        solvers = [jax.tree.map(lambda leaf, i=i: leaf[i], stack) for i in range(count)]
        curves: dict[str, list[float]] = {"rmse": [], "frechet": []}
        for solver in solvers:
            errors = harness.errors(model.field, solver, truth.validation)
            samples = harness.sampled(model.field, solver, selecting.x0)
            finite = bool(jnp.isfinite(samples).all())
            curves["rmse"].append(errors["rmse"])
            curves["frechet"].append(classifier.frechet(samples) if finite else np.nan)
        chosen = {}
        for criterion, values in curves.items():
            best = int(np.nanargmin(values))
            samples = harness.sampled(model.field, solvers[best], reported.x0)
            chosen[criterion] = {
                "iteration": best * config.every,
                "rmse": harness.errors(model.field, solvers[best], truth.test)["rmse"],
                "frechet": classifier.frechet(samples),
                "images": packed(samples),
            }
        return {"curves": curves, "chosen": chosen}

    for loss in LOSSES:
        results.once({"loss": loss}, lambda task=loss: one(task))


def packed(images: Any) -> str:
    """The first samples as hexadecimal bytes, black 0 to white 255: for the figure."""
    shade = np.clip(np.asarray(images[:SHOWN]) * 127.5 + 127.5, 0, 255)
    return shade.round().astype(np.uint8).tobytes().hex()


def unpacked(text: str) -> np.ndarray:
    """(9, SHOWN * 9) sheet of what `packed` made, a grey pixel between images."""
    pixels = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 8, 8)
    framed = np.pad(pixels, ((0, 0), (0, 1), (0, 1)), constant_values=128)
    return np.concatenate(list(framed), axis=1)


def write_page(config: Config) -> None:
    shown = {name: config.stored(name) for name in MODELS}
    complete = 1 + len(LOSSES)  # rows; another process may still be at work
    shown = {k: found for k, found in shown.items() if len(found.rows) == complete}
    lines = []
    columns = ("iterate", "test RMSE", "Frechet", "Frechet / ground truth's")
    outcomes = []
    for name, results in shown.items():
        exact = results.get(loss="exact")
        error = abs(exact["selecting"] - exact["frechet"])
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
        lines += [*harness.table(corner, columns, body), ""]
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
        f"as many others. {harness.machine()}."
    ]
    harness.write_block(HERE / "README.md", "stopping", lines)
    draw(config, shown)


def verdict(outcomes: list[tuple[str, str, dict, dict, float]]) -> list[str]:
    """What the choice of the criterion changes, by figures of other noises."""
    same = sum(a["iteration"] == b["iteration"] for *_, a, b, _ in outcomes)
    gains = [(a["frechet"] - b["frechet"], error) for *_, a, b, error in outcomes]
    within = sum(abs(gain) <= error for gain, error in gains)
    lower = sum(gain > error for gain, error in gains)
    costs = [b["rmse"] / a["rmse"] - 1 for *_, a, b, _ in outcomes]
    changes = [b["frechet"] / a["frechet"] - 1 for *_, a, b, _ in outcomes]
    spread = lambda values: f"{min(values):+.1%} to {max(values):+.1%}"
    return [
        f"Both criteria choose the same iterate in {same} of {len(outcomes)} fits. "
        "Selecting on the Frechet distance instead of validation RMSE changes the "
        f"reported distance by {spread(changes)} and the test RMSE by {spread(costs)}; "
        f"the two distances are within the sampling error of each other in {within} "
        f"of {len(outcomes)} fits, and the Frechet criterion's is lower by more than "
        f"that in {lower}."
    ]


def draw(config: Config, shown: dict[str, harness.Results]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(shown), 3, figsize=(13, 3.2 * len(shown)), squeeze=False,
        width_ratios=(1, 1, 1.5),
    )  # fmt: skip
    at = np.arange(0, config.iterations + 1, config.every)
    for line, (name, results) in zip(axes, shown.items(), strict=True):
        exact = results.get(loss="exact")
        error = abs(exact["selecting"] - exact["frechet"])
        low, high = exact["selecting"] - error, exact["selecting"] + error
        line[1].axhline(exact["selecting"], color="0.4", ls=":", label="ground truth")
        line[1].axhspan(low, high, color="0.85", label="sampling error of that")
        sheets = {"exact": exact["images"]}
        for loss, style in STYLES.items():
            row = results.get(loss=loss)
            for axis, kind in zip(line, CRITERIA, strict=False):
                values = row["curves"][kind]
                axis.plot(at, values, **style, label=f"{loss} loss")
                for criterion, mark in MARKS.items():
                    i = row["chosen"][criterion]["iteration"]
                    axis.plot(
                        i, values[i // config.every], ls="", mfc="none", mew=1.4,
                        color=style["color"], **mark,
                        label=f"{loss} loss, best {CRITERIA[criterion]}",
                    )  # fmt: skip
            for criterion, label in CRITERIA.items():
                images = row["chosen"][criterion]["images"]
                sheets[f"{loss} loss, best\n{label}"] = images
        sheet = np.concatenate([unpacked(text) for text in sheets.values()])
        line[2].imshow(sheet, cmap="gray", vmin=0, vmax=255)
        line[2].set_yticks(9 * np.arange(len(sheets)) + 3.5, sheets, fontsize=7)
        line[2].set_xticks([])
        line[2].set_title(f"{name}: a column is one noise", fontsize=10)
        line[0].set(yscale="log", ylabel="validation RMSE (pixels, -1 to 1)")
        line[1].set(yscale="log", ylabel="Frechet distance (selecting)")
        for axis in line[:2]:
            axis.set(title=f"{name}, NFE {config.nfe}", xlabel="iteration")
            axis.yaxis.set_major_formatter("{x:.3g}")
            axis.yaxis.set_minor_formatter("{x:.3g}")
            axis.tick_params(which="both", labelsize=7)
            axis.grid(alpha=0.3, which="both")
    handles = axes[0, 1].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize=9)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "stopping.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

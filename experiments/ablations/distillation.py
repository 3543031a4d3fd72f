"""The network's weights freed instead of the solver's theta: is it better? (K.4)

    uv run python -m experiments.ablations.distillation

The midpoint solver stays as it is (identity theta) and Adam moves the weights of the
network under the LTE loss, on the training paths, batches and number of iterations of
the Bespoke fits of `experiments.digits.solvers`, which are shared. The learning rate
and the iterate are chosen on the validation paths. All RMSE are to the exact solutions
of the original network, from noises that no choice has seen. Interrupted, the same
command goes on with the run it was at; `--models eps_vp` does one model. Writes
`results/distillation-*.json`, a block of README.md and `distillation.png`.

Reference: Shaul et al. (2024), arXiv 2310.19075, appendix K.4.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

matplotlib.use("Agg")
HERE = Path(__file__).parent
MODELS = ("fm_ot", "fm_cs", "eps_vp")
LOSSES = {"bespoke": harness.DIRECT, "bound": bj.losses.rmse_bound}
ADAM = optax.scale_by_adam()
STYLES = {
    "midpoint": ("0.5", "o", "midpoint, original network"),
    "bespoke": ("tab:red", "s", "RK2-Bespoke, direct RMSE"),
    "bound": ("tab:blue", "D", "RK2-Bespoke, RMSE bound"),
    "distilled": ("black", "^", "midpoint, distilled network"),
    "trained on": ("black", "v", "the same on its own training paths"),
    "longer": ("tab:purple", "*", "distilled, more iterations"),
}


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: tuple[int, ...] = (4, 8)
    lrs: tuple[float, ...] = (1e-5, 1e-4, 1e-3)
    every: int = 25  # iterations between two validations, as in the Bespoke fits
    longer: int = 5  # times the iterations, at the last NFE ...
    longer_model: str = "fm_ot"  # ... of this model
    setup: harness.Setup = harness.Setup()


class State(NamedTuple):
    """A field is a pytree whose leaves are the weights: it is what Adam moves."""

    field: Any
    moments: Any
    iteration: jax.Array


@partial(jax.jit, static_argnames=("family", "batch", "length"))
def advance(family, batch, length, state: State, paths, key, lr, iterations) -> State:
    """`length` steps on the weights; the batches are those of `bj.fit` for this key."""
    theta = family.init()

    def step(state: State, _):
        draw = jax.random.fold_in(key, state.iteration)
        index = jax.random.choice(draw, paths.size, (batch,), replace=False)
        part = bj.paths.take(paths, index)
        loss = lambda field: bj.losses.lte(family, theta, field, part)
        gradient = jax.grad(loss)(state.field)
        updates, moments = ADAM.update(gradient, state.moments)
        rate = lr * (1 + jnp.cos(jnp.pi * state.iteration / iterations)) / 2
        field = jax.tree.map(lambda w, du: w - rate * du, state.field, updates)
        return State(field, moments, state.iteration + 1), None

    return jax.lax.scan(step, state, length=length)[0]


def distil(config: Config, truth, field, family, lr: float, times: int) -> dict:
    """RMSE of the best validation iterate, of which the first is the original."""
    setup, solver = config.setup, family.build(family.init())
    iterations, batch = times * setup.iterations, min(setup.batch_size, setup.training)
    training = truth.training._replace(stats=None, certificate=None)
    validate = lambda field: harness.errors(field, solver, truth.validation)["rmse"]
    state = State(field, ADAM.init(field), jnp.zeros((), jnp.int32))
    best, trace = field, [(0, validate(field))]
    while (done := int(state.iteration)) < iterations:
        state = advance(
            family, batch, min(config.every, iterations - done), state, training,
            jax.random.key(setup.seed + 1), lr, iterations,
        )  # fmt: skip
        score = validate(state.field)
        # False where the score is not a number: then what there was is kept.
        best = state.field if score < np.nanmin([s for _, s in trace]) else best
        trace.append((int(state.iteration), score))
    scores = [score for _, score in trace]
    return {
        **figures(best, solver, truth),
        "lr": lr,
        "validation": float(np.nanmin(scores)),
        "iterate": trace[int(np.nanargmin(scores))][0],
        "trace": trace,
        "evaluations": 3 * batch * solver.nfe * iterations,
        "freed": size(field),
    }


def figures(field: Any, solver: bj.Solver, truth: harness.Truth) -> dict[str, float]:
    """RMSE on test noises and on the training paths."""
    seen = harness.errors(field, solver, truth.training)["rmse"]
    return {**harness.errors(field, solver, truth.test), "on_training": seen}


def size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def results_of(config: Config, name: str) -> harness.Results:
    settings = {k: getattr(config, k) for k in ("nfe", "lrs", "every", "longer")}
    settings |= config.setup.described()
    return harness.Results(HERE / "results" / f"distillation-{name}.json", settings)


def measure(config: Config, name: str) -> None:
    model, results = models.load(name), results_of(config, name)
    setup, truth = config.setup, harness.truth(config.setup, model)

    def fit(family: Any, kind: str, nfe: int) -> dict[str, Any]:
        fit_name, loss = f"{name}-{kind}-midpoint-{nfe}", LOSSES[kind]
        fitted = harness.fitted(setup, model.field, truth, family, fit_name, loss=loss)
        row = {"validation": fitted.validation_rmse, "freed": size(fitted.theta)}
        checks = (fitted.history.rmse.size - 1) * truth.validation.size * nfe
        row["evaluations"] = int(harness.spent(fitted)[-1]) - checks
        return {**figures(model.field, fitted.solver, truth), **row}

    for nfe in config.nfe:
        family = bj.families.scale_time(nfe // 2, end=model.end)
        base, key = family.build(family.init()), {"nfe": nfe, "kind": "midpoint"}
        results.once(key, partial(figures, model.field, base, truth))
        for kind in LOSSES:
            results.once({**key, "kind": kind}, partial(fit, family, kind, nfe))
        run = partial(distil, config, truth, model.field, family)
        for lr in config.lrs:
            key = {"nfe": nfe, "kind": "distilled", "lr": lr}
            results.once(key, partial(run, lr, 1))
        if (name, nfe) == (config.longer_model, config.nfe[-1]):
            lr = cases(config, results.rows)[nfe]["distilled"]["lr"]
            key = {"nfe": nfe, "kind": "longer"}
            results.once(key, partial(run, lr, config.longer))


def cases(config: Config, rows: list[dict]) -> dict[int, dict[str, dict]]:
    """By NFE, the row of each kind, distilled at its best learning rate; only whole."""
    found = {}
    for nfe in config.nfe:
        here = [row for row in rows if row["nfe"] == nfe]
        tried = [row for row in here if row["kind"] == "distilled"]
        case = {row["kind"]: row for row in here}
        if len(tried) == len(config.lrs) and case.keys() >= {"midpoint", *LOSSES}:
            case["distilled"] = min(tried, key=lambda row: row["validation"])
            # What the validation paths say of the two losses.
            case["fit"] = min((case[k] for k in LOSSES), key=lambda r: r["validation"])
            found[nfe] = case
    return found


def write_page(config: Config) -> None:
    stored = {
        f"{name}, {nfe} NFE": case
        for name in MODELS
        for nfe, case in cases(config, results_of(config, name).rows).items()
    }
    columns = ("midpoint", "Bespoke, direct", "Bespoke, bound", "distilled")
    columns += ("distilled, on its training paths", "its lr", "its iterate")
    body = []
    for name, case in stored.items():
        others = [case[kind]["rmse"] for kind in ("midpoint", *LOSSES)]
        for kind, note in (("distilled", ""), ("longer", f", {config.longer}x longer")):
            if kind in case:
                row = [case[kind][k] for k in ("rmse", "on_training", "lr", "iterate")]
                body.append((name + note, others + row))
    lines = [*harness.table("RMSE on test noises", columns, body), ""]
    lines += verdict(config, stored)
    harness.write_block(HERE / "README.md", "distillation", lines)
    draw(stored)


def verdict(config: Config, stored: dict[str, dict]) -> list[str]:
    """What the rows say, whichever way they came out."""
    every, setup = list(stored.values()), config.setup
    span = lambda values: f"{min(values):.2f} to {max(values):.2f}"
    over = lambda kind: [c["distilled"]["rmse"] / c[kind]["rmse"] for c in every]
    won = lambda kind: sum(ratio < 1 for ratio in over(kind))
    gap = lambda kind: span([c[kind]["rmse"] / c[kind]["on_training"] for c in every])
    equal = all(c["distilled"]["evaluations"] == c["fit"]["evaluations"] for c in every)
    freed = sorted(c["fit"]["freed"] for c in every)
    return [
        f"Distilling frees {every[0]['distilled']['freed']:,} weights, Bespoke "
        f"{freed[0]} to {freed[-1]} numbers, on the same {setup.training} training "
        f"paths, {setup.iterations} iterations of {setup.batch_size} paths and "
        f"{'the same' if equal else 'another'} number of network evaluations "
        "(forward 1, reverse 2) at one learning rate; distilling had the best of "
        f"{', '.join(f'{lr:g}' for lr in config.lrs)}, Bespoke only {setup.lr:g}.",
        "",
        f"The distilled network has {span(over('fit'))} times the RMSE of the Bespoke "
        "fit that the validation paths choose (below 1: better), and is better than it "
        f"in {won('fit')} of {len(every)} cases; {span(over('midpoint'))} times that "
        f"of midpoint with the original network, better in {won('midpoint')}. RMSE on "
        f"test noises over RMSE on the training paths: {gap('distilled')} distilled, "
        f"{gap('fit')} Bespoke, {gap('midpoint')} midpoint, which has seen neither.",
    ]


def draw(stored: dict[str, dict]) -> None:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(1.6 + 1.3 * max(len(stored), 4), 4.4))
    for k, (kind, (colour, marker, label)) in enumerate(STYLES.items()):
        source = "distilled" if kind == "trained on" else kind
        entry = "on_training" if kind == "trained on" else "rmse"
        points = [
            (i + 0.11 * (k - 2.5), case[source][entry])
            for i, case in enumerate(stored.values())
            if source in case
        ]
        if points:
            xs, ys = zip(*points, strict=True)
            style = {"color": colour, "marker": marker, "ls": "", "ms": 8}
            fill = "white" if kind == "trained on" else colour
            axis.plot(xs, ys, **style, mfc=fill, label=label)
    axis.set_xticks(range(len(stored)), [name.replace(", ", "\n") for name in stored])
    axis.set_xlim(-0.5, len(stored) - 0.5)
    axis.set(yscale="log", ylabel="RMSE to the exact solution (pixels on [-1, 1])")
    axis.grid(alpha=0.3, which="both", axis="y")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "distillation.png", dpi=120)


def main(config: Config) -> None:
    for name in config.models:
        measure(config, name)
    write_page(config)


if __name__ == "__main__":
    main(tyro.cli(Config))

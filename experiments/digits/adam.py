"""What `tailor` costs beside the recipe of the BNS paper: 15,000 iterations of Adam.

    uv run python -m experiments.digits.adam

The same non-stationary family on the same paths and the same held-out paths: Adam on
the direct loss, batch 40, cosine decay, the learning rate the best of three after 500
iterations (not counted), against `tailor`. Both start from what they know: Adam from
the best training-free solver that `tailor` measures. Network evaluations count forward
1 and reverse 2. Interrupted, the same command goes on. Writes `results/adam.json`, the
sentences in README.md and `adam.png`.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import optax
import tyro

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

matplotlib.use("Agg")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    nfe: int = 4
    iterations: int = 15_000
    batch_size: int = 40
    trial: int = 500
    rates: tuple[float, ...] = (5e-4, 2e-3, 1e-2)
    setup: harness.Setup = harness.Setup()

    def described(self) -> dict[str, Any]:
        own = {k: v for k, v in vars(self).items() if k != "setup"}
        return {**own, **self.setup.described()}


def measure(config: Config, results: harness.Results) -> None:
    model, setup = models.load(config.model), config.setup
    truth = harness.truth(setup, model)
    key = jax.random.key(setup.seed + 1)
    family = bj.families.nonstationary(
        config.nfe, schedule=model.schedule, end=model.end
    )

    def judged(solver: bj.Solver, history: Any) -> dict[str, Any]:
        return {
            **harness.errors(model.field, solver, truth.test),
            "curve": [history.evaluations.tolist(), history.rmse.tolist()],
            "truth_evaluations": truth.evaluations,
        }

    def tailor() -> dict[str, Any]:
        found = bj.tailor(
            model.field,
            truth.training,
            validation=truth.validation,
            test=truth.test,
            nfe=config.nfe,
            key=key,
            schedule=model.schedule,
            end=model.end,
        )
        start = jax.tree.map(np.asarray, family.build(found.starts[0].theta))
        table = [leaf.tolist() for leaf in start]
        return {**judged(found.solver, found.history), "start": table}

    def adam(rate: float, iterations: int, total: int) -> bj.Fitted:
        t, a, _, q, end = map(np.asarray, results.get(kind="tailor")["start"])
        return bj.fit(
            family,
            model.field,
            truth.training,
            validation=truth.validation,
            test=truth.test,
            key=key,
            start=bj.Solver(t, a, np.zeros((config.nfe, 0)), q, end),
            loss=harness.DIRECT,
            optimizer=optax.adam(optax.cosine_decay_schedule(rate, total)),
            iterations=iterations,
            batch_size=config.batch_size,
            validate_every=50,
            directory=setup.runs
            / "fits"
            / f"{config.model}-adam-{config.nfe}-{rate:g}-{iterations}",
        )

    def trial(rate: float) -> dict[str, Any]:
        return {"validation": adam(rate, config.trial, config.trial).validation_rmse}

    def long(rate: float) -> dict[str, Any]:
        fitted = adam(rate, config.iterations, config.iterations)
        history = fitted.history
        cost = truth.evaluations + harness.spent(fitted)
        return judged(fitted.solver, history._replace(evaluations=cost))

    results.once({"kind": "tailor"}, tailor)
    tried = {
        rate: results.once({"kind": "trial", "rate": rate}, partial(trial, rate))
        for rate in config.rates
    }
    best = min(tried, key=lambda rate: tried[rate]["validation"])
    results.once({"kind": "adam", "rate": best}, partial(long, best))


def curve(row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Evaluations with those of the ground truth, and the best RMSE so far."""
    spent, rmse = (np.asarray(column) for column in row["curve"])
    spent = spent + (row["truth_evaluations"] if spent[0] == 0 else 0)
    return spent, np.minimum.accumulate(rmse)


def first(curve: tuple[np.ndarray, np.ndarray], goal: float) -> float | None:
    """Evaluations after which a curve is at or below an RMSE; None if never."""
    below = np.flatnonzero(curve[1] <= goal)
    return float(curve[0][below[0]]) if below.size else None


def write_page(config: Config, results: harness.Results) -> None:
    ours, theirs = results.get(kind="tailor"), results.get(kind="adam")
    (spent, rmse), (long_spent, long_rmse) = curve(ours), curve(theirs)
    goal, truth = float(long_rmse[-1]), ours["truth_evaluations"]
    body = []
    for part in (0.0, 0.01, 0.02):
        at = [first(c, (1 + part) * goal) for c in (curve(ours), curve(theirs))]
        ratio = at[1] / at[0] if at[0] and at[1] else None
        body.append((f"within {100 * part:g} % of Adam's end", [*at, ratio]))
    trial = min(
        (row for row in results.rows if row["kind"] == "trial"),
        key=lambda row: row["validation"],
    )
    cost = truth + 3 * config.trial * config.batch_size * config.nfe
    lines = [
        *harness.table(
            "network evaluations, ground truth included",
            ("tailor", f"Adam, {config.iterations} iterations", "ratio"),
            body,
        ),
        "",
        f"{config.model}, {config.nfe} NFE, held-out RMSE: Adam ends at {goal:.4f} "
        f"after {long_spent[-1]:.3g} evaluations, tailor at {rmse[-1]:.4f} after "
        f"{spent[-1]:.3g}, of which {truth:.3g} are the ground truth that both need. "
        f"On test noises: tailor {ours['rmse']:.4f}, Adam {theirs['rmse']:.4f}. Adam "
        f"with its best learning rate ({trial['rate']:g}, of "
        f"{', '.join(f'{rate:g}' for rate in config.rates)}) and a cosine over only "
        f"{config.trial} iterations is at {trial['validation']:.4f} after {cost:.3g}: "
        "in this basis, from this start, most of the long recipe is waste. "
        f"{harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "adam", lines)
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4))
    label = f"Adam, {config.iterations} iterations"
    axis.plot(long_spent, long_rmse, "--", c="0.35", label=label)
    axis.plot(spent, rmse, "o-", c="tab:red", ms=4, label="tailor")
    axis.axhline(goal, c="0.6", lw=0.8)
    axis.set(
        xlabel="network evaluations, ground truth included",
        ylabel="held-out RMSE (pixels on [-1, 1])",
        xscale="log",
        yscale="log",
        title=f"{config.model}, {config.nfe} NFE",
    )
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    figure.set_layout_engine("constrained")
    figure.savefig(HERE / "adam.png", dpi=120)


def main(config: Config) -> None:
    path = HERE / "results" / "adam.json"
    results = harness.Results(path, config.described())
    measure(config, results)
    write_page(config, results)


if __name__ == "__main__":
    main(tyro.cli(Config))

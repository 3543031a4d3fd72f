"""Moves the weights of a network under the loss that Bespoke fits use."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import bespoke_jax as bj
from experiments import harness
from experiments.digits import models

HERE = Path(__file__).parent


MODELS = ("fm_ot", "fm_cs", "eps_vp")


LOSSES = {"bespoke": harness.DIRECT, "bound": bj.losses.rmse_bound}


ADAM = optax.scale_by_adam()


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = MODELS
    nfe: tuple[int, ...] = (4, 8)
    lrs: tuple[float, ...] = (1e-5, 1e-4, 1e-3)
    every: int = 25  # iterations between two validations, as in the Bespoke fits
    longer: int = 5  # times the iterations, at the last NFE ...
    longer_model: str = "fm_ot"  # ... of this model
    setup: harness.Setup = harness.Setup()

    def results(self, name: str) -> harness.Results:
        """What was measured on a model with these settings."""
        own = {k: getattr(self, k) for k in ("nfe", "lrs", "every", "longer")}
        settings = own | self.setup.described()
        return harness.Results(HERE / "results" / f"{name}.json", settings)


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


def measure_model(config: Config, name: str) -> None:
    model, results = models.load(name), config.results(name)
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

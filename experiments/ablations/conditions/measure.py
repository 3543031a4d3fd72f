"""Tailors one solver for all guidance weights, and one for each of several weights."""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj
from bespoke_jax.cli.ranges import spread
from bespoke_jax.fitting.tailored import TailoredSet
from experiments import harness
from experiments.digits import models

HERE = Path(__file__).parent
NAME = "fm_ot_class"


@dataclass(frozen=True)
class Config:
    low: float = 0.0
    high: float = 6.0
    weights: tuple[float, ...] = (0.0, 1.0, 2.5, 4.0, 6.0)  # of the native fits
    elsewhere: float = 2.5  # weight whose native fit is used at the others as well
    nfe: tuple[int, ...] = (4, 6, 8)  # evaluations of the guided field
    # One fit for all weights: degree of the polynomials, and paths.
    fits: tuple[tuple[int, int], ...] = ((2, 192), (2, 384), (3, 192))
    paths: int = 192  # of a native fit
    setup: harness.Setup = harness.Setup(training=0, validation=0, test=256)

    def results(self) -> harness.Results:
        """What was measured with these settings."""
        own = {"range": (self.low, self.high), "weights": self.weights, "nfe": self.nfe}
        own |= {"paths": self.paths, "elsewhere": self.elsewhere}
        test, tolerance = self.setup.test, self.setup.tolerance
        own |= {"test": test, "tolerance": tolerance, "seed": self.setup.seed}
        return harness.Results(HERE / "results.json", own)


def guided(model: bj.Model) -> Any:
    """The guided field, whose weight is a number of each sample: c["w"]."""

    def labelled(t: jax.Array, x: jax.Array, c: dict[str, jax.Array]) -> jax.Array:
        return model.field(t, x, c["label"])

    null = lambda c: {**c, "label": jnp.full_like(c["label"], models.CLASSES)}
    return bj.fields.guide(labelled, weight=lambda c: c["w"], null=null)


def truth(
    config: Config, model: bj.Model, field: Any, w: np.ndarray, name: str, seed: int
) -> bj.Paths:
    """Exact paths with these weights, kept under `name`."""
    setup = config.setup
    x0, label = bj.model.noise(model, jax.random.key(setup.seed + seed), len(w))
    return bj.reference.solve(
        field,
        x0,
        c={"label": label, "w": jnp.asarray(w, jnp.float32)},
        end=model.end,
        rtol=setup.tolerance,
        atol=setup.tolerance,
        dense=True,
        directory=setup.runs / "truth" / f"{NAME}-w{name}-{len(w)}-{seed}",
    )


def tailored(
    config: Config, model: bj.Model, field: Any, paths: bj.Paths, name: str, **more: Any
) -> TailoredSet:
    """What `bj.tailor` finds for all budgets on these paths."""
    return bj.tailor(
        field,
        paths,
        nfe=config.nfe,
        key=jax.random.key(config.setup.seed + 1),
        schedule=model.schedule,
        end=model.end,
        directory=config.setup.runs / "conditions" / name,
        **more,
    )


def measure(config: Config) -> None:
    model, results = models.load(NAME), config.results()
    field = guided(model)
    exact = partial(truth, config, model, field)
    same = lambda w, count: np.full(count, w)
    fresh = lru_cache(
        lambda w: exact(same(w, config.setup.test), f"{w:g}-test", seed=1000)
    )
    error = lambda solver, w: harness.errors(field, solver, fresh(w))["rmse"]

    def cost(found: TailoredSet) -> dict[str, Any]:
        solved = found.paths.stats.evaluations
        return {
            "truth": solved,
            "search": [one.evaluations - solved for one in found],
            "spent": found.evaluations,
        }

    def one(degree: int, count: int) -> dict[str, Any]:
        """The fit for all weights, at each of them."""
        w = spread(config.low, config.high, count)
        paths = exact(w, f"{config.low:g}-{config.high:g}", seed=0)
        name = f"degree{degree}-{count}"
        found = tailored(config, model, field, paths, name, condition=w, degree=degree)
        rmse = [
            [error(found.at(nfe=n, condition=v), v) for v in config.weights]
            for n in config.nfe
        ]
        starts = [member.start for member in found]
        return {"rmse": rmse, "start": starts, **cost(found)}

    def native(w: float) -> dict[str, Any]:
        """The fit for one weight, there, and the best training-free solver."""
        paths = exact(same(w, config.paths), f"{w:g}", seed=0)
        found = tailored(config, model, field, paths, f"native{w:g}")
        used = config.weights if w == config.elsewhere else (w,)
        rmse = [[error(found.at(nfe=n), v) for v in used] for n in config.nfe]
        free = [raced(found[n], w) for n in config.nfe]
        return {
            "used": used, "rmse": rmse, "start": [member.start for member in found],
            "free": [row[0] for row in free], "solver": [row[1] for row in free],
            "endpoint": float(fresh(w).certificate.endpoint), **cost(found),
        }  # fmt: skip

    def raced(found: bj.Tailored, w: float) -> tuple[float, str]:
        """The lowest error among the winners of the race, and whose it is."""
        free = [start for start in found.starts if not start.given]
        return min((error(found.family.build(s.theta), w), s.name) for s in free)

    degree, count = config.fits[0]
    results.once({"degree": degree, "paths": count}, lambda: one(degree, count))
    for w in config.weights:
        results.once({"native": w}, lambda w=w: native(w))
    for degree, count in config.fits[1:]:
        results.once(
            {"degree": degree, "paths": count}, lambda task=(degree, count): one(*task)
        )

"""Times solves in turn with their bare network calls."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import dit, programs, timing
from experiments.mixture import models

HERE = Path(__file__).parent


SHORT = ("euler", "midpoint", "rk4")


MULTISTEP = ("dpm_solver_pp_2m", "scire_v1_2m", "unipc", "deis_tab", "ipndm")


@dataclass(frozen=True)
class Config:
    rounds: int = 30
    dit_rounds: int = 7  # its calls are longer and vary less
    batch: int = 64  # of the digits U-Net
    wide: int = 512  # of the perceptron
    points: int = 256  # of the 2-D field


class Subject(NamedTuple):
    """A model to time, and the solvers: (name, NFE)."""

    label: str
    model: bj.Model
    batch: int
    rounds: int
    tasks: list[tuple[str, int]]


def perceptron(weights: list[jax.Array], t: jax.Array, x: jax.Array) -> jax.Array:
    for w in weights:
        x = jnp.tanh(x @ w + jnp.reshape(t, (-1, 1)))
    return x


def wide(width: int = 256, depth: int = 4) -> bj.Model:
    """States as wide as the layers: what a solver does to them weighs the most."""
    keys = jax.random.split(jax.random.key(0), depth)
    weights = [jax.random.normal(key, (width, width)) / width**0.5 for key in keys]
    schedule = bj.schedules.CondOT()
    return bj.Model(Partial(perceptron, weights), (width,), schedule=schedule)


def subjects(config: Config) -> Iterator[Subject]:
    tasks = [(name, 8) for name in SHORT]
    tasks += [(name, 20) for name in ("midpoint", *MULTISTEP, "dense")]
    digits = bj.demo.load("fm_ot")
    yield Subject("digits U-Net", digits, config.batch, config.rounds, tasks)
    large = dit.model()
    millions = f"DiT, {dit.parameters(large) / 1e6:.1f} M parameters"
    few = [("euler", 8), ("unipc", 8), ("dense", 8)]
    yield Subject(millions, large, 1, config.dit_rounds, few)
    few = [few[0], ("dpm_solver_pp_2m", 8), *few[1:]]
    yield Subject("perceptron, wide states", wide(), config.wide, config.rounds, few)
    plane = models.model("mixture", bj.fields.random_mixture(0))
    # Calls so short vary more.
    yield Subject("2-D mixture", plane, config.points, 10 * config.rounds, tasks)


@jax.jit
def looped(field: Any, times: jax.Array, x0: jax.Array) -> jax.Array:
    """The calls of a solve in one compiled loop, and nothing else."""
    return jax.lax.scan(lambda x, t: (field(t, x), None), x0, times)[0]


def overhead(field: Any, solver: bj.Solver, x0: jax.Array, rounds: int) -> dict:
    """Seconds a call of the three, and quartiles of the ratios."""
    call = jax.jit(lambda field, t, x: field(t, x))
    times = jnp.asarray(np.asarray(solver.t), x0.dtype)
    each = list(times)  # taking them apart is no part of a call

    def bare() -> jax.Array:
        out = x0
        for t in each:
            out = call(field, t, out)
        return out

    works = {
        "solve": lambda: bj.sample(field, solver, x0),
        "calls": bare,
        "loop": lambda: looped(field, times, x0),
    }
    spent = timing.in_turn(works, rounds, disable=True)
    return {
        **{k: float(np.median(v)) / solver.nfe for k, v in spent.items()},
        "over_calls": timing.quartiles(spent["solve"] / spent["calls"]),
        "over_loop": timing.quartiles(spent["solve"] / spent["loop"]),
    }


def measure(config: Config) -> None:
    rows = []
    for label, model, batch, rounds, tasks in subjects(config):
        x0, _ = bj.model.noise(model, jax.random.key(0), batch)
        for name, nfe in tasks:
            solver = programs.construct(model, name, nfe)
            row = overhead(model.field, solver, x0, rounds)
            print(f"{label}, {name}, {nfe} NFE: {row['over_calls'][1]:.3f}", flush=True)
            rows.append({"subject": label, "solver": name, "nfe": nfe, **row})
            rows[-1] |= {"batch": batch, "rounds": rounds}
    harness.save(HERE / "results.json", {"machine": harness.machine(), "rows": rows})

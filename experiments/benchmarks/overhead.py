"""What `sample` costs over its bare network calls.

    uv run python -m experiments.benchmarks.overhead

Four fields: the digits U-Net (batch 64), a DiT of about 30 M random parameters (batch
1), a perceptron that does little work for each number of a large state (batch 512), and
the exact field of a mixture in two dimensions (batch 256), whose call takes
microseconds. A solve is timed in turn with the same number of jitted calls, each of
which needs the one before, and with the same calls in one compiled loop that does
nothing else: the first is what a user would write, the second the least that a solve
can cost. Ratios are taken round by round, so that a drifting machine speed cancels.
Writes `overhead.json` and the table in README.md.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.tree_util import Partial

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import dit, programs, timing
from experiments.mixture import fields

HERE = Path(__file__).parent
GOAL, LONG = 1.05, 1e-3  # of the median, where a call takes as many seconds
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
    plane = fields.model("mixture", fields.random_mixture(0))
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


def main(config: Config) -> None:
    rows = []
    for label, model, batch, rounds, tasks in subjects(config):
        x0, _ = bj.model.noise(model, jax.random.key(0), batch)
        for name, nfe in tasks:
            solver = programs.construct(model, name, nfe)
            row = overhead(model.field, solver, x0, rounds)
            print(f"{label}, {name}, {nfe} NFE: {row['over_calls'][1]:.3f}", flush=True)
            rows.append({"subject": label, "solver": name, "nfe": nfe, **row})
            rows[-1] |= {"batch": batch, "rounds": rounds}
    result = {"hardware": harness.machine(), "rows": rows}
    (HERE / "overhead.json").write_text(json.dumps(result, indent=1) + "\n")
    write_page(rows)


def write_page(rows: list[dict[str, Any]]) -> None:
    columns = ("lower quartile", "median", "upper quartile")
    columns += ("over one compiled loop, median", "µs a step", "µs a call")
    lines = []
    for label in dict.fromkeys(row["subject"] for row in rows):
        mine = [row for row in rows if row["subject"] == label]
        body = []
        for row in mine:
            micro = [f"{1e6 * row[key]:,.3g}" for key in ("solve", "calls")]
            cells = [*row["over_calls"], row["over_loop"][1]]
            if row["solve"] >= LONG:
                micro = [f"{1e6 * row[key]:,.0f}" for key in ("solve", "calls")]
            body.append((f"{row['solver']}, {row['nfe']} NFE", [*cells, *micro]))
        lines += harness.table(f"{label}: solve over bare calls", columns, body)
        first = mine[0]
        lines += ["", f"Batch {first['batch']}, {first['rounds']} rounds.", ""]
    lines += [verdict(rows), "", per_step(rows), "", f"Hardware: {harness.machine()}."]
    harness.write_block(HERE / "README.md", "overhead", lines)


def verdict(rows: list[dict[str, Any]]) -> str:
    """Against the goal, where a call is long enough for it."""
    long = [row for row in rows if row["calls"] >= LONG]
    said = []
    for key, name in (("over_calls", "bare calls"), ("over_loop", "one compiled loop")):
        ratios = [row[key][1] for row in long]
        met = sum(ratio <= GOAL for ratio in ratios)
        said.append(
            f"over {name} the median is {min(ratios):.3f} to {max(ratios):.3f}, at "
            f"most {GOAL} in {met} of {len(ratios)} rows"
        )
    missed = dict.fromkeys(r["subject"] for r in long if r["over_calls"][1] > GOAL)
    if missed:
        said.append(f"over bare calls it is missed by: {', '.join(missed)}")
    return f"Where a call takes 1 ms or more: {'; '.join(said)}."


def per_step(rows: list[dict[str, Any]]) -> str:
    """Of a short call: what a further step costs, and what a solve costs once."""
    label = rows[-1]["subject"]
    few, many = (
        row for row in rows if row["subject"] == label and row["solver"] == "midpoint"
    )
    micro = [1e6 * row["nfe"] * row["solve"] for row in (few, many)]
    step = (micro[1] - micro[0]) / (many["nfe"] - few["nfe"])
    return (
        f"{label}, midpoint: from {few['nfe']} to {many['nfe']} NFE a solve goes from "
        f"{micro[0]:.0f} to {micro[1]:.0f} µs, so that a further step takes {step:.1f} "
        f"µs and what is done once a solve {micro[0] - few['nfe'] * step:.0f} µs."
    )


if __name__ == "__main__":
    main(tyro.cli(Config))

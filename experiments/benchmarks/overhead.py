"""What `sample` costs over its bare network calls, and what compiling it costs.

    uv run python -m experiments.benchmarks.overhead

Digits U-Net, batch 64. The solve and the same number of bare jitted calls are timed in
turn, and ratios taken pair by pair, so that a drifting machine speed cancels. Memory is
what XLA reserves for the compiled solve's temporaries beyond those of Euler, in states
(one batch of samples): a method that looks back k states or velocities keeps k - 1 of
them between its steps, and XLA's own copies of these come on top. Compile time is that
of a fresh jit at each nfe, also in turn; traces are counted over new coefficients and
new weights. Writes `overhead.json` and the table in README.md.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.tree_util import Partial
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness

HERE = Path(__file__).parent
LENGTHS = ("4", "64")
MULTISTEP = ("dpm_solver_pp_2m", "scire_v1_2m", "unipc", "deis_tab", "ipndm")


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    batch: int = 64
    pairs: int = 30
    compilations: int = 3


def seconds(work) -> float:
    began = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - began


def overhead(config: Config, field, solver: bj.Solver, x0: jax.Array) -> np.ndarray:
    """Ratios solve / bare calls, one a pair."""
    call = jax.jit(lambda field, t, x: field(t, x))
    times = jnp.asarray(np.asarray(solver.t), x0.dtype)
    numbers = jax.tree.map(jnp.asarray, solver)
    solve = lambda: bj.sample(field, numbers, x0)

    def bare():
        out = x0
        for i in range(solver.nfe):
            # Each call needs the one before, as in a solve.
            out = call(field, times[i], out)
        return out

    seconds(solve), seconds(bare)
    ratios = []
    for pair in range(config.pairs):
        # Who goes first alternates: neither gains from a warm cache.
        order = (solve, bare) if pair % 2 else (bare, solve)
        spent = {work: seconds(work) for work in order}
        ratios.append(spent[solve] / spent[bare])
    return np.array(ratios)


def lowered(field, solver: bj.Solver, x0: jax.Array):
    numbers = jax.tree.map(jnp.asarray, solver)
    return jax.jit(lambda f, s, x: bj.sample(f, s, x)).lower(field, numbers, x0)


def compile_seconds(field, nfe: int, x0: jax.Array) -> float:
    jax.clear_caches()
    program = lowered(field, bj.solvers.midpoint(steps=nfe // 2), x0)
    return seconds(lambda: program.compile() and 0)


def temporaries(field, solver: bj.Solver, x0: jax.Array) -> float:
    """Peak of the solve's temporaries, in states."""
    analysis = lowered(field, solver, x0).compile().memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes / x0.nbytes


def traces(field, x0: jax.Array) -> int:
    """Traces over three sets of coefficients and three of weights."""
    count = []

    def counted(inner, t, x):
        count.append(None)
        return inner(t, x)

    for scale in (1.0, 1.1, 1.2):
        weights = jax.tree.map(lambda leaf, s=scale: leaf * s, field)
        solver = bj.solvers.midpoint(steps=4, grid=np.linspace(0, 1, 5) ** scale)
        bj.sample(Partial(counted, weights), solver, x0)
    return len(count)


def main(config: Config) -> None:
    model = bj.demo.load(config.model)
    x0 = jax.random.normal(jax.random.key(0), (config.batch, *model.shape))
    call = jax.jit(lambda field, t, x: field(t, x))
    seconds(lambda: call(model.field, 0.5, x0))
    one = np.median([seconds(lambda: call(model.field, 0.5, x0)) for _ in range(20)])
    construct = lambda name, nfe: bj.solvers.construct(
        name, nfe, schedule=model.schedule, end=model.end
    )
    tasks = [(name, 8) for name in ("euler", "midpoint", "rk4")]
    tasks += [(name, 20) for name in ("midpoint", *MULTISTEP)]
    least = temporaries(model.field, construct("euler", 20), x0)
    rows = {}
    for name, nfe in tqdm(tasks, desc="overhead"):
        solver = construct(name, nfe)
        ratios = overhead(config, model.field, solver, x0)
        rows[f"{name}, {nfe} NFE"] = {
            "ratios": [float(np.quantile(ratios, q)) for q in (0.25, 0.5, 0.75)],
            "looks_back": [solver.p.shape[1], solver.q.shape[1]],
            "extra_states": temporaries(model.field, solver, x0) - least,
        }
    spent = {nfe: [] for nfe in LENGTHS}  # keys as JSON has them
    for _ in tqdm(range(config.compilations), desc="compile"):
        for nfe in spent:
            spent[nfe].append(compile_seconds(model.field, int(nfe), x0))
    result = {
        "call_ms": 1e3 * float(one),
        "overhead": rows,
        "compile_seconds": spent,
        "compile_ratio": float(np.median(np.divide(spent["64"], spent["4"]))),
        "traces": traces(model.field, x0),
        "hardware": harness.machine(),
    }
    (HERE / "overhead.json").write_text(json.dumps(result, indent=1) + "\n")
    write_page(config, result)


def write_page(config: Config, result: dict) -> None:
    body = [
        (
            name,
            [
                *row["ratios"],
                *row["looks_back"],
                sum(row["looks_back"]) - 2,
                row["extra_states"],
            ],
        )
        for name, row in result["overhead"].items()
    ]
    columns = ("lower quartile", "median", "upper quartile")
    columns += ("states seen", "velocities seen", "older ones kept")
    columns += ("memory beyond Euler's, states",)
    lines = [
        *harness.table("solve over bare network calls", columns, body),
        "",
        f"One call of the {config.model} U-Net at batch {config.batch}: "
        f"{result['call_ms']:.1f} ms. {config.pairs} pairs, timed in turn.",
        "",
        f"Compile time at 64 NFE over that at 4 NFE: {result['compile_ratio']:.2f} "
        f"(median of {config.compilations} pairs; "
        f"{np.median(result['compile_seconds']['4']):.1f} s and "
        f"{np.median(result['compile_seconds']['64']):.1f} s). Traces over three sets "
        f"of coefficients and weights: {result['traces']}.",
        "",
        f"Hardware: {result['hardware']}.",
    ]
    harness.write_block(HERE / "README.md", "overhead", lines)


if __name__ == "__main__":
    main(tyro.cli(Config))

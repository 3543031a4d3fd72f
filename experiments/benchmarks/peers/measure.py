"""Runs the other programs and the solvers here on one exact field.

Needs the `peers` dependency group.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

import diffusers
import jax
import jax.numpy as jnp
import numpy as np
import torch
import torchdiffeq
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import timing
from experiments.benchmarks.peers import programs
from experiments.benchmarks.peers.page import HERE, Config
from experiments.benchmarks.peers.pairs import COND_OT, PAIRS, Pair, Solvers

PACKAGES = ("torch", "diffusers", "torchdiffeq", "flow_matching", "azula")


@jax.jit
def ours(field: Any, solvers: Solvers, x: jax.Array) -> jax.Array:
    """The samples of solvers run one after the other."""
    for solver in solvers:
        x = bj.sample(field, solver, x)
    return x


class Problem:
    """The mixture in both libraries, noise, and exact solutions."""

    def __init__(self, config: Config):
        mixture = bj.fields.random_mixture(config.seed, dim=8, modes=6, std=0.15)
        self.field = bj.fields.mixture_field(COND_OT, mixture)
        self.torch = programs.Field(mixture)
        self.compiled = programs.compiled(mixture)
        self.double = programs.Field(mixture, torch.float64)
        key = jax.random.key(config.seed)
        count = max(config.noises, *config.batches)
        self.noise = np.asarray(jax.random.normal(key, (count, 8)), np.float64)
        self.tolerance, self._exact = config.exact, {}

    def check(self) -> float:
        """The largest relative difference of both fields; raises above float32."""
        worst = 0.0
        for t in (0.01, 0.3, 0.6, 0.9, 0.99):
            x = self.noise.astype(np.float32)
            here = np.asarray(self.field(t, jnp.asarray(x)))
            there = self.torch.velocity(torch.tensor(t), torch.tensor(x)).numpy()
            worst = max(worst, float(np.abs(here - there).max() / np.abs(here).max()))
        if worst > 1e-5:
            raise RuntimeError(f"the two fields differ by {worst:.1e} of their size")
        return worst

    def exact(self, x: np.ndarray, first: float, last: float) -> np.ndarray:
        """Exact solutions on the straight path, kept by their interval."""
        key = (x.shape, x[0, 0], first, last)
        if key not in self._exact:
            tolerance = {"rtol": self.tolerance, "atol": self.tolerance}
            self._exact[key] = torchdiffeq.odeint(
                self.double.velocity, torch.tensor(x),
                torch.tensor([first, last], dtype=torch.float64), method="dopri8",
                **tolerance,
            )[-1].numpy()  # fmt: skip
        return self._exact[key]


def accuracy(problem: Problem, pair: Pair, nfe: int, count: int) -> dict[str, Any]:
    """Both samples' errors, and their difference, at one NFE."""
    noise, field = problem.noise[:count], problem.torch
    program = programs.prepare(pair, field, nfe)
    x = torch.tensor(program.start * noise, dtype=torch.float32)
    calls = counted(field, lambda: program.solve(x))
    program.reset()
    theirs = program.last * program.solve(x).double().numpy()
    solvers = pair.build(program.times, calls)
    start = program.first * noise
    mine = ours(problem.field, solvers, jnp.asarray(start, jnp.float32))
    mine = np.asarray(mine, np.float64)
    exact = problem.exact(start, float(program.times[0]), float(program.times[-1]))
    rms = lambda difference: np.sqrt(np.mean(difference**2, axis=1))
    return {
        "nfe": calls,
        "nfe_ours": sum(solver.nfe for solver in solvers),
        "rmse": float(rms(theirs - exact).mean()),
        "rmse_ours": float(rms(mine - exact).mean()),
        "median": float(np.median(rms(theirs - exact))),
        "median_ours": float(np.median(rms(mine - exact))),
        "difference_median": float(np.median(rms(mine - theirs))),
        "difference_max": float(np.abs(mine - theirs).max()),
    }


def speed(problem: Problem, pair: Pair, config: Config, batch: int) -> dict[str, Any]:
    """Median seconds per solve, taking turns, and what compiling ours took."""
    noise, nfe = problem.noise[:batch], config.timed_nfe
    known = {"theirs": problem.torch}
    if config.compiled:
        known["compiled"] = problem.compiled
    prepared = {k: programs.prepare(pair, f, nfe) for k, f in known.items()}
    program = prepared["theirs"]
    x = torch.tensor(program.start * noise, dtype=torch.float32)
    calls = counted(problem.torch, lambda: program.solve(x))
    solvers = jax.tree.map(jnp.asarray, pair.build(program.times, calls))
    start = jnp.asarray(program.first * noise, jnp.float32)
    jax.clear_caches()  # pairs of the same form would share a program
    began = time.perf_counter()
    solve = ours.lower(problem.field, solvers, start).compile()
    row = {"batch": batch, "nfe": calls, "compile": time.perf_counter() - began}
    # Setting a scheduler's steps and making our tables are left out of the times.
    resets = {name: p.reset for name, p in prepared.items()} | {"ours": lambda: None}
    works = {name: partial(p.solve, x) for name, p in prepared.items()}
    run = lambda: jax.block_until_ready(solve(problem.field, solvers, start))
    works = {**works, "ours": run}
    spent: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(config.rounds + 2):
        # Who begins alternates: nobody gains from a warm cache.
        for name in list(works)[:: 1 if turn % 2 else -1]:
            resets[name]()
            began = time.perf_counter()
            works[name]()
            if turn > 1:  # the first runs warm up, and compile the field
                spent[name].append(time.perf_counter() - began)
    row |= {name: float(np.median(values)) for name, values in spent.items()}
    ratios = {f"ratio_{k}": row[k] / row["ours"] for k in works if k != "ours"}
    return row | ratios


def one_call(problem: Problem, config: Config, batch: int) -> dict[str, Any]:
    """Median microseconds of one velocity alone, in both libraries."""
    noise = problem.noise[:batch].astype(np.float32)
    x, here, t = torch.tensor(noise), jnp.asarray(noise), jnp.float32(0.3)
    call, there = jax.jit(lambda field, t, x: field(t, x)), torch.tensor(0.3)
    works = {
        "theirs": lambda: problem.torch.velocity(there, x),
        "ours": lambda: call(problem.field, t, here),
    }
    if config.compiled:
        works["theirs, compiled"] = lambda: problem.compiled.velocity(there, x)
    spent = timing.in_turn(works, 20 * config.rounds, disable=True)
    return {"batch": batch} | {k: 1e6 * float(np.median(v)) for k, v in spent.items()}


def counted(field: programs.Field, work: Callable[[], Any]) -> int:
    """Evaluations of the field in one run."""
    field.calls, field.counting = 0, True
    work()
    field.counting = False
    return field.calls


def packages() -> str:
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES)


def measure(config: Config) -> None:
    # The programs' own remarks on their defaults would bury the progress bar.
    warnings.filterwarnings("ignore")
    diffusers.logging.set_verbosity_error()
    threads = timing.cores()
    torch.set_num_threads(threads)
    problem = Problem(config)
    with torch.inference_mode():
        off = problem.check()
        calls = [one_call(problem, config, batch) for batch in config.batches]
        rows = []
        for pair in tqdm(PAIRS, desc="peers"):
            rows.append(
                {
                    "pair": pair.name,
                    "same": pair.same,
                    "accuracy": [
                        accuracy(problem, pair, nfe, config.noises)
                        for nfe in config.nfes
                    ],
                    "speed": [
                        speed(problem, pair, config, batch) for batch in config.batches
                    ],
                }
            )
    result = {
        "config": asdict(config),
        "machine": f"{harness.machine()}; {packages()}, {threads} thread(s)",
        "field_difference": off,
        "one_call": calls,
        "rows": rows,
    }
    harness.save(HERE / "results.json", result)

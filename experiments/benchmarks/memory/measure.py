"""Memory that XLA reserves for solves and their gradients."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import programs, timing

HERE = Path(__file__).parent


SOLVERS = ("euler", "midpoint", "dpm_solver_pp_2m", "unipc", "dense")


WINDOWS = ("euler", "midpoint", "rk4", "dpm_solver_pp_2m", "scire_v1_2m", "unipc")


WINDOWS += ("deis_tab", "ipndm", "dense")


SOLVE, RECOMPUTING, KEEPING = programs.PROGRAMS


@dataclass(frozen=True)
class Config:
    model: str = "fm_ot"
    batch: int = 64
    nfe: tuple[int, ...] = (4, 8, 16, 32, 64)
    windows_nfe: int = 20


def measure(config: Config) -> None:
    model = bj.demo.load(config.model)
    x0, _ = bj.model.noise(model, jax.random.key(0), config.batch)

    def measured(program: str, name: str, nfe: int) -> dict[str, Any]:
        solver = programs.construct(model, name, nfe)
        made = programs.compiled(programs.PROGRAMS[program], model.field, solver, x0)
        return {
            "program": program, "solver": name, "nfe": nfe,
            "seen": [solver.p.shape[1], solver.q.shape[1]],
            "bytes": timing.peak(made.program),
        }  # fmt: skip

    tasks = [(p, s, n) for p in programs.PROGRAMS for s in SOLVERS for n in config.nfe]
    tasks += [(SOLVE, name, config.windows_nfe) for name in WINDOWS]
    rows = [measured(*task) for task in tqdm(tasks, desc="memory")]
    result = {"machine": harness.machine(), "state_bytes": x0.nbytes, "rows": rows}
    harness.save(HERE / "results.json", result)

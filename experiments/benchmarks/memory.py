"""Memory of `sample` and of its gradient against NFE and solver.

    uv run python -m experiments.benchmarks.memory

Digits U-Net. Memory is what XLA reserves for the compiled program's temporaries, its
peak by construction; arguments (weights, noises, the solver) are not counted. Three
programs: the solve, and its gradient by the solver's numbers with `checkpoint=True`
(the network recomputed in the backward pass) and with `checkpoint=False` (activations
kept). A state is one batch of samples, the unit in which solvers differ. Nothing is
run, so that the figures do not depend on the machine's speed. Writes `memory.json`,
`memory.png` and the tables in README.md.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import matplotlib
import tyro
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import programs, timing

matplotlib.use("Agg")
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


def main(config: Config) -> None:
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
    result = {"hardware": harness.machine(), "state_bytes": x0.nbytes, "rows": rows}
    (HERE / "memory.json").write_text(json.dumps(result, indent=1) + "\n")
    write_page(config, rows, x0.nbytes)
    draw(config, rows)


def write_page(config: Config, rows: list[dict[str, Any]], state: int) -> None:
    peak = {(r["program"], r["solver"], r["nfe"]): r["bytes"] for r in rows}
    first, last = config.nfe[0], config.nfe[-1]
    columns = [f"{nfe} NFE" for nfe in config.nfe]
    columns += [f"{last} over {first}", "states more per NFE"]
    lines = []
    for program in programs.PROGRAMS:
        body = []
        for name in SOLVERS:
            line = [peak[program, name, nfe] for nfe in config.nfe]
            more = (line[-1] - line[0]) / (last - first) / state
            cells = [size / 2**20 for size in line]
            body.append((name, [*cells, f"{line[-1] / line[0]:.2f}", more]))
        lines += [*harness.table(f"{program}, MiB", columns, body), ""]
    body = []
    for name in WINDOWS:
        row = next(
            r for r in rows
            if r["solver"] == name and r["nfe"] == config.windows_nfe
        )  # fmt: skip
        least = peak[SOLVE, "euler", config.windows_nfe]
        older = sum(max(width - 1, 0) for width in row["seen"])
        body.append((name, [*row["seen"], older, (row["bytes"] - least) / state]))
    columns = ("states seen", "velocities seen", "older ones kept")
    columns += ("memory beyond Euler's, states",)
    corner = f"a solve of {config.windows_nfe} NFE looks back"
    worst = max(
        peak[RECOMPUTING, name, last] / peak[RECOMPUTING, name, first]
        for name in SOLVERS
        if name != "dense"
    )
    kept = min(
        peak[KEEPING, name, last] / peak[KEEPING, name, first] for name in SOLVERS
    )
    lines += [
        *harness.table(corner, columns, body),
        "",
        f"From {first} to {last} NFE, {last // first} times as many, the gradient with "
        f"recomputing takes at most {worst:.2f} times the memory (dense: "
        f"{peak[RECOMPUTING, 'dense', last] / peak[RECOMPUTING, 'dense', first]:.2f}), "
        f"with activations kept at least {kept:.1f} times.",
        "",
        f"{config.model} U-Net, batch {config.batch}, float32; a state is "
        f"{state / 2**20:.3g} MiB. {harness.machine()}.",
    ]
    harness.write_block(HERE / "README.md", "memory", lines)


def draw(config: Config, rows: list[dict[str, Any]]) -> None:
    import matplotlib.pyplot as plt

    styles = zip(
        SOLVERS, "os^Dv", ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))),
        ("black", "#0072B2", "#009E73", "#E69F00", "#D55E00"), strict=True,
    )  # fmt: skip
    figure, axes = plt.subplots(
        1, 3, figsize=(10, 4), layout="constrained", sharex=True, sharey=True
    )
    for name, marker, dash, colour in styles:
        for axis, program in zip(axes, programs.PROGRAMS, strict=True):
            chosen = {
                r["nfe"]: r["bytes"] / 2**20
                for r in rows
                if r["program"] == program and r["solver"] == name
            }
            axis.plot(
                config.nfe, [chosen[nfe] for nfe in config.nfe], marker=marker,
                ls=dash, color=colour, ms=5, mfc="none",
                label=name if program == SOLVE else None,
            )  # fmt: skip
    for axis, program in zip(axes, programs.PROGRAMS, strict=True):
        axis.set(title=program, xscale="log", yscale="log")
        axis.set_xlabel("network evaluations (NFE)")
        axis.set_xticks(config.nfe, [str(nfe) for nfe in config.nfe])
        axis.set_xticks([], minor=True)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("peak memory of temporaries (MiB)")
    figure.legend(loc="outside lower center", ncols=len(SOLVERS))
    figure.savefig(HERE / "memory.png", dpi=120)


if __name__ == "__main__":
    main(tyro.cli(Config))

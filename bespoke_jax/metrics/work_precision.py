"""Work-precision diagrams: the error of solvers against their network evaluations."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from bespoke_jax.core import checks
from bespoke_jax.core.batches import batches, joined
from bespoke_jax.core.calls import as_field
from bespoke_jax.core.hosts import shows, to_host
from bespoke_jax.core.protocols import VelocityField
from bespoke_jax.core.sample import sample
from bespoke_jax.core.solver import Solver, check_form
from bespoke_jax.core.types import Conditioning, Scalar
from bespoke_jax.metrics.errors import Summary, errors, psnr, summary
from bespoke_jax.reference.paths import Paths, check_paths
from bespoke_jax.solvers.registry import find


class Point(NamedTuple):
    """One solver at one NFE: how close it comes to the exact samples, at what cost."""

    name: str
    solver: Solver
    rmse: Summary
    psnr: float
    """In dB, of the mean RMSE."""
    seconds: float
    """For one sample: a compiled batch after warm-up, divided by its size."""
    compile_seconds: float
    """Of its program, which solvers of equal NFE and windows share; from JAX's
    persistent cache, where one is set, less."""
    peak_bytes: float
    """What XLA reserves for one batch: weights, noise, temporaries and samples; nan
    where the backend does not say."""
    errors: np.ndarray
    """(N,) per-sample RMS errors, float64 on the host; the same noises for all."""
    samples: np.ndarray
    """(keep, *shape) first samples, on the host."""
    fitted: bool = False
    """Whether the solver was fitted to the model; reports mark such solvers."""

    @property
    def nfe(self) -> int:
        """Rows of the solver's table, each one network evaluation."""
        return self.solver.nfe

    @property
    def error(self) -> float:
        """The mean RMSE to order solvers by: infinite for one that diverged."""
        return self.rmse.mean if np.isfinite(self.rmse.mean) else np.inf

    def row(self) -> dict[str, str | float | None]:
        """The figures by name, for JSON or CSV; None for what is not finite."""
        figures = {
            "solver": self.name,
            "nfe": self.nfe,
            **{
                key if key == "flip_rate" else f"rmse_{key}": value
                for key, value in self.rmse._asdict().items()
            },
            "psnr_db": self.psnr,
            "seconds_per_sample": self.seconds,
            "compile_seconds": self.compile_seconds,
            "peak_mib": self.peak_bytes / 2**20,
        }
        return {
            key: value if isinstance(value, str) or np.isfinite(value) else None
            for key, value in figures.items()
        }


def work_precision(
    field: VelocityField,
    solvers: Mapping[str, Solver | Sequence[Solver]],
    paths: Paths,
    *,
    batch_size: int = 128,
    data_range: Scalar = 2.0,
    repeats: int = 3,
    keep: int = 0,
    fitted: Collection[str] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> list[Point]:
    """Run every solver from the paths' noises and measure error, time and memory.

    Exact samples are those of `paths` and are not solved for again. Every solver starts
    from the same noises, so that `errors` of two points can be compared pair by pair.

    Args:
        field: velocity field `field(t, x, c)` that the paths belong to.
        solvers: name to a solver, or to several of different NFE.
        paths: at least two ground-truth paths (`reference.solve`).
        batch_size: samples run together; the last batch is filled up.
        data_range: largest minus smallest value of the data, for PSNR.
        repeats: rounds in which every solver runs one batch for its time; their
            median counts.
        keep: samples returned with each point.
        fitted: names of the solvers that were fitted to the model; None is all names
            but those of training-free solvers, alone or with a grid
            (`unipc:quadratic`).
        seed: of the bootstrap's resamples.
        progress: show a progress bar.

    Returns:
        One point per solver, in the order given.

    Raises:
        ValueError: no solver, a malformed one, one that ends at another time than the
            paths, two of one name and NFE, or a number out of range.
    """
    check_paths(paths)
    if paths.size < 2:
        raise ValueError(f"work_precision needs at least 2 paths; got {paths.size}.")
    batch_size = checks.whole("batch_size", batch_size)
    repeats = checks.whole("repeats", repeats)
    keep = checks.whole("keep", keep, least=0)
    seed = checks.whole("seed", seed, least=0, most=2**32 - 1)
    checks.real("data_range", data_range, above=0)
    tasks = _flat(solvers, (float(paths.start), float(paths.end)))
    if fitted is None:
        fitted = {name for name in solvers if find(name.partition(":")[0]) is None}
    field, noises = as_field(field), (paths.x0, paths.c)
    size = min(batch_size, paths.size)
    first = next(batches(noises, size))[2]
    programs: dict[Solver, _Program] = {}
    points, runs = [], []
    bar = tqdm(tasks, desc="compare", unit="solver", disable=not shows(progress))
    for name, solver in bar:
        bar.set_postfix_str(f"{name}, {solver.nfe} NFE")
        numbers = jax.tree.map(partial(jnp.asarray, dtype=paths.x0.dtype), solver)
        program = _program(programs, field, numbers, first)
        run = partial(program.run, field, numbers)
        parts = [run(*batch) for _, _, batch in batches(noises, size)]
        x = joined(parts, paths.size, paths.x0)
        points.append(
            Point(
                name,
                solver,
                summary(x, paths.x1, key=jax.random.key(seed)),
                float(psnr(x, paths.x1, data_range=data_range)),
                np.nan,  # timed below
                program.seconds,
                _peak(program.run),
                to_host(errors(x, paths.x1)).astype(np.float64),
                to_host(x[:keep]),
                name in fitted,
            )
        )
        runs.append(partial(run, *first))
    spent = _seconds_in_turn(runs, repeats)
    return [
        point._replace(seconds=float(seconds) / size)
        for point, seconds in zip(points, spent, strict=True)
    ]


class _Program(NamedTuple):
    """`sample` compiled for solvers of one form and batches of one size."""

    run: jax.stages.Compiled
    seconds: float
    """Wall-clock of its compilation."""


def _program(
    programs: dict[Solver, _Program],
    field: VelocityField,
    solver: Solver,
    batch: tuple[jax.Array, Conditioning],
) -> _Program:
    """The program for a solver, compiled where none of its form is in `programs`."""
    form = jax.tree.map(jnp.shape, solver)
    if form not in programs:
        began = time.perf_counter()
        run = _SAMPLE.lower(field, solver, *batch).compile()
        programs[form] = _Program(run, time.perf_counter() - began)
    return programs[form]


_SAMPLE = jax.jit(lambda field, solver, x0, c: sample(field, solver, x0, c=c))


def _flat(
    solvers: Mapping[str, Solver | Sequence[Solver]], interval: tuple[float, float]
) -> list[tuple[str, Solver]]:
    expected = "a dict of names to solvers, or to lists of solvers"
    checks.instance("solvers", solvers, Mapping, expected)
    tasks = []
    for name, given in solvers.items():
        if not isinstance(given, Solver | list | tuple):
            raise ValueError(
                f"solvers must be {expected}; got {name}: {checks.shown(given)}."
            )
        for solver in [given] if isinstance(given, Solver) else given:
            form = check_form(solver)
            own = float(form.t[0]), float(form.end)
            if not np.allclose(own, interval, atol=1e-6):
                raise ValueError(
                    f"{name} runs from t = {own[0]:g} to {own[1]:g} and the paths from "
                    f"{interval[0]:g} to {interval[1]:g}; their samples cannot be "
                    "compared."
                )
            if any(name == other and solver.nfe == seen.nfe for other, seen in tasks):
                raise ValueError(
                    f"{name} is given twice with {solver.nfe} NFE; give the two "
                    "solvers names of their own."
                )
            tasks.append((name, solver))
    if not tasks:
        raise ValueError("work_precision needs at least one solver; got none.")
    return tasks


def _seconds_in_turn(
    runs: Sequence[Callable[[], jax.Array]], repeats: int
) -> np.ndarray:
    """Median wall-clock of each run over `repeats` rounds of all of them.

    Run in turn, so that a drifting speed of the machine cancels from the ratios.
    """

    def seconds(run: Callable[[], jax.Array]) -> float:
        began = time.perf_counter()
        jax.block_until_ready(run())
        return time.perf_counter() - began

    return np.median([[seconds(run) for run in runs] for _ in range(repeats)], axis=0)


def _peak(program: jax.stages.Compiled) -> float:
    """Bytes that a program reserves; nan where the backend does not say."""
    memory = program.memory_analysis()
    if memory is None:
        return np.nan
    return float(
        memory.argument_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
    )

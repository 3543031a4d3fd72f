"""Runs each fit in a process of its own and notes its peak memory."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from experiments import harness

HERE = Path(__file__).parent
JOB = "experiments.benchmarks.fit_memory.job"
ONCE = ("evaluation", "reverse")
"""Works that evaluate the network once."""


@dataclass(frozen=True)
class Config:
    nfe: tuple[int, ...] = (4, 16)
    paths: int = 64
    # Enough for the truth, the regressions and a descent over all paths.
    evaluations: tuple[int, ...] = (9_000, 24_000)

    def results(self) -> harness.Results:
        """What was measured with these settings."""
        settings = {"paths": self.paths, "evaluations": self.evaluations}
        return harness.Results(HERE / "results.json", settings)


def measure(config: Config) -> None:
    results = config.results()
    for work in ONCE:
        results.once({"work": work}, lambda work=work: run(work, 0, 0, 0))
    for nfe, spent in zip(config.nfe, config.evaluations, strict=True):
        results.once(
            {"work": "fit", "nfe": nfe},
            lambda task=(nfe, config.paths, spent): run("fit", *task),
        )


def run(work: str, *numbers: int) -> harness.Row:
    """What the process of one work tells.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", JOB, work, *map(str, numbers)],
        capture_output=True, text=True, cwd=HERE.parents[2],
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{work} {numbers} failed: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])

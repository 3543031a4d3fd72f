"""Starts processes in turn and measures their wall-clock time."""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

import bespoke_jax as bj
from experiments import harness
from experiments.benchmarks import timing

HERE = Path(__file__).parent
BASE = "import numpy, rich, tyro"
CARD = "solver.json"
COMMANDS = (
    "--help", "--version", "list", "tailor --help", "demo --nef 8", f"show {CARD}"
)  # fmt: skip
_CALL = "import sys; from bespoke_jax.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Config:
    rounds: int = 10


def seconds(code: str, words: list[str], folder: str) -> float:
    """Wall-clock time of a new interpreter that runs `code`.

    Raises:
        RuntimeError: it fails otherwise than by refusing its words (exit code 2).
    """
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True
    )
    spent = time.perf_counter() - began
    if done.returncode not in (0, 2):
        raise RuntimeError(f"{words} failed: {done.stderr[-300:]}")
    return spent


def measure(config: Config) -> None:
    spent: dict[str, list[float]] = {name: [] for name in (BASE, *COMMANDS)}
    with tempfile.TemporaryDirectory() as folder:
        bj.card.save(Path(folder) / CARD, bj.solvers.euler(nfe=8))
        for number in tqdm(range(config.rounds + 1), desc="start", unit="round"):
            for name in list(spent)[:: -1 if number % 2 else 1]:
                code, words = (BASE, []) if name == BASE else (_CALL, name.split())
                took = seconds(code, words, folder)
                if number:  # the first round fills the caches of the disk
                    spent[name].append(took)
    rows = [
        {
            "process": name,
            "seconds": float(np.median(values)),
            "ratio": timing.quartiles(np.divide(values, spent[BASE])),
        }
        for name, values in spent.items()
    ]
    content = {"machine": harness.machine(), "rounds": config.rounds, "rows": rows}
    harness.save(HERE / "results.json", content)

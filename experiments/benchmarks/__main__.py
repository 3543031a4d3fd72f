"""All benchmarks in turn, with one command.

    uv run python -m experiments.benchmarks
    uv run python -m experiments.benchmarks --only overhead memory
    uv run --group peers python -m experiments.benchmarks

Each is a study in a folder of its own that also runs alone. Two of them compare with
other programs; where these are not installed they are left out, with a line that says
so.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import tyro

from experiments.harness import command

BENCHMARKS: dict[str, tuple[str, ...]] = {  # name -> other programs it needs
    "startup": (),
    "overhead": (),
    "compiling": (),
    "memory": (),
    "losses": (),
    "fitting": (),
    "ground_truth": ("torch", "torchdiffeq"),
    "peers": ("torch", "torchdiffeq", "diffusers", "flow_matching", "azula"),
}


@dataclass(frozen=True)
class Config:
    only: tuple[str, ...] = tuple(BENCHMARKS)


def missing(name: str) -> list[str]:
    """The programs that a benchmark needs and that are not installed."""
    return [program for program in BENCHMARKS[name] if find_spec(program) is None]


def main(config: Config) -> None:
    unknown = [name for name in config.only if name not in BENCHMARKS]
    if unknown:
        raise SystemExit(f"no such benchmark: {unknown}; known: {[*BENCHMARKS]}")
    for name in config.only:
        if absent := missing(name):
            print(
                f"{name}: left out, {', '.join(absent)} not installed "
                "(uv run --group peers ...)",
                flush=True,
            )
            continue
        print(f"{name}:", flush=True)
        package = f"experiments.benchmarks.{name}"
        page = import_module(f"{package}.page")
        command.measure(package, page.Config())
        page.write(page.Config())


if __name__ == "__main__":
    main(tyro.cli(Config))

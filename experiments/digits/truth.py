"""Solves for the ground truth that the digits studies share, ahead of them.

    uv run python -m experiments.digits.truth --models fm_ot

Optional: each study solves for what it needs and does not find. Two such commands at
the same time, each on a core of its own, finish sooner than one on two cores.
"""

from dataclasses import dataclass

import tyro

from experiments import harness
from experiments.digits import models


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = ("fm_ot", "fm_cs", "eps_vp")
    setup: harness.Setup = harness.Setup()


def main(config: Config) -> None:
    for name in config.models:
        harness.truth(config.setup, models.load(name))


if __name__ == "__main__":
    main(tyro.cli(Config))

"""The report of `bespoke compare` on a digits model, and a picture of it.

    uv run python -m experiments.digits.report

Compares the tailored solvers of `experiments.digits.tailor` with training-free ones on
fresh noises: `runs/report/eps_vp.html`. Where Chromium is installed, it also draws the
page's beginning at desktop width into `report.png`.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro

import bespoke_jax as bj
from bespoke_jax import report
from experiments import browser, harness
from experiments.digits import models, tailor

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Config:
    model: str = "eps_vp"
    nfe: tuple[int, ...] = (4, 6, 8, 10)
    more: tuple[int, ...] = (16, 20)  # for the training-free ones only
    rivals: tuple[str, ...] = (
        "dpm_solver_pp_2m:quadratic",
        "unipc:quadratic",
        "scire_v1_2m:quadratic",
        "ddim",
    )
    noises: int = 256
    setup: harness.Setup = harness.Setup()


def main(config: Config) -> None:
    model, setup = models.load(config.model), config.setup
    solvers: dict[str, list[bj.Solver]] = {
        "tailor": [tailor.stored(config.model, nfe) for nfe in config.nfe]
    }
    for name in config.rivals:
        entry, _, grid = name.partition(":")
        solvers[name] = [
            bj.solvers.construct(
                entry, nfe, schedule=model.schedule, end=model.end, grid=grid or None
            )
            for nfe in (*config.nfe, *config.more)
        ]
    # Other noises than those of fitting, selection and the tables.
    seed = setup.seed + 2000
    paths = harness.solved(
        setup, model, config.noises, f"{model.name}-report", seed=seed
    )
    points = bj.metrics.work_precision(model.field, solvers, paths, keep=8)
    page = report.write(
        setup.runs / "report" / f"{config.model}.html",
        model.field,
        points,
        paths,
        schedule=model.schedule,
        title=f"{config.model}: solvers compared",
        note=f"Digits, seed {seed}.",
    )
    print(f"Wrote {page}")
    draw(page)


def draw(page: Path) -> None:
    if browser.PROGRAM is None:
        print("no Chromium installed: report.png was not drawn")
        return
    picture = HERE / "report.png"
    with tempfile.TemporaryDirectory() as profile:
        browser.run(
            page,
            "--hide-scrollbars",
            "--window-size=1160,1130",
            f"--screenshot={picture}",
            profile=Path(profile),
        )
    print(f"Wrote {picture}")


if __name__ == "__main__":
    main(tyro.cli(Config))

"""The picture of the report's first screen."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from experiments import harness
from experiments.harness import browser

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

    @property
    def page(self) -> Path:
        """Where the report is written."""
        return self.setup.runs / "report" / f"{self.model}.html"


def write(config: Config) -> None:
    """Draw the first screen of the report that `measure` wrote."""
    if browser.PROGRAM is None:
        print("no Chromium installed: report.png was not drawn")
        return
    picture = HERE / "report.png"
    with tempfile.TemporaryDirectory() as profile:
        browser.run(
            config.page,
            "--hide-scrollbars",
            "--window-size=1160,1130",
            f"--screenshot={picture}",
            profile=Path(profile),
        )
    print(f"Wrote {picture}")

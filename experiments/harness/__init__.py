"""What the studies share: set-up, results, pages, figures and the command.

`setup` has the ground truth and the fits, `results` what was measured, `pages` the
text between two marks of a README, `figures` everything that needs matplotlib,
`command` the command line of a study, `browser` a headless Chromium.

Whatever takes time is kept under `runs/`: a command that was interrupted continues
where it stopped, and studies that need the same paths or the same fit share them.
"""

from experiments.harness.results import (
    Results,
    Row,
    as_lists,
    as_shades,
    as_solver,
    hardware,
    load,
    machine,
    save,
    shades,
    stored,
)
from experiments.harness.setup import (
    DIRECT,
    Setup,
    Truth,
    errors,
    fitted,
    sampled,
    solved,
    spent,
    tailored,
    truth,
)

__all__ = [
    "DIRECT",
    "Results",
    "Row",
    "Setup",
    "Truth",
    "as_lists",
    "as_shades",
    "as_solver",
    "errors",
    "fitted",
    "hardware",
    "load",
    "machine",
    "sampled",
    "save",
    "shades",
    "solved",
    "spent",
    "stored",
    "tailored",
    "truth",
]

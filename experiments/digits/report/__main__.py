"""The report of `bespoke compare` on a digits model, and a picture of it.

    uv run python -m experiments.digits.report

Compares the tailored solvers of `experiments.digits.tailor` with training-free ones on
fresh noises: `runs/report/eps_vp.html`. Where Chromium is installed, it also draws the
first screen of the page at desktop width into `report.png`.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

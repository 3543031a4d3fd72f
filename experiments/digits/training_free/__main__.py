"""Every training-free solver on every grid, and which one to pick.

    uv run python -m experiments.digits.training_free

All of `solvers.TABLE` with its defaults, and the multistep SciRE-Solvers with phi="fd",
on each named grid that the model's path allows. The pick at an NFE is the solver and
grid whose worst ratio to the best one, over the models of a kind, is lowest: what to
use when the model cannot be tried first. `--models eps_vp` does one model; the pages
are written from all that are there. Writes `results/training_free-*.json`, the tables
in README.md and the pick in the project's README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

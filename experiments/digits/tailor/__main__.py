"""`tailor` on the digits models, against every other solver of the library.

    uv run python -m experiments.digits.tailor

Per model and NFE one fit on the shared ground truth, started from all training-free
solvers and from the fit at one NFE less. Compared on test noises with the best
training-free solver on its best grid (chosen on those very noises, which favours it)
and with RK1- and RK2-Bespoke of `experiments.digits.solvers`. `--models eps_vp` does
one model. Writes `results/tailor-*.json`, the table in README.md and `tailor.png`.
"""

from experiments.harness import command

command.run(__package__, __doc__)

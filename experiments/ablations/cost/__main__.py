"""How many ground-truth paths a fit needs, and what it costs.

    uv run python -m experiments.ablations.cost
    uv run python -m experiments.ablations.cost --timing

RK2-Bespoke, direct RMSE, n = 5. Three questions: RMSE against the number of training
paths; RMSE against all network evaluations spent (ground truth, fit, validation); and
one fit cheap enough for 5 % of what training the model took. `--timing` takes the
wall-clock of that fit, ground truth and compilation included, in fresh processes; give
it an idle machine. Interrupted, the same command goes on where it stopped; `--models
eps_vp` does one model. Writes `results/cost-*.json`, a block of README.md, `cost.png`.
"""

from experiments.harness import command

command.run(__package__, __doc__)

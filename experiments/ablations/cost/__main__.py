"""How many ground-truth paths a fit needs, and what it costs.

    uv run python -m experiments.ablations.cost
    uv run python -m experiments.ablations.cost --timing

RK2-Bespoke, direct RMSE, n = 5. Measures the RMSE against the number of training
paths; the RMSE against all network evaluations spent (ground truth, fit, validation);
and a fit that is cheap enough for 5 % of what training the model took. `--timing`
measures the wall-clock time of that fit, ground truth and compilation included, in
fresh processes; run it on an idle machine.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

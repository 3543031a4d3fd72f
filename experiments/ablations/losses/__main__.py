"""The loss ablation: direct RMSE, RMSE bound and LTE, by RMSE and Frechet distance.

    uv run python -m experiments.ablations.losses

RK2-Bespoke fits that differ in the loss only; those of the first two losses are shared
with `experiments.digits.solvers`. Frechet distances are between the features of 4,096
samples and those of the data set, also for each half of the noises: the difference of
the two halves is the sampling error. Also measures how far the bound is above the RMSE
that it bounds, at L_tau = 1 (the paper's) and at a measured L_tau.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

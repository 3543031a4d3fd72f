"""The loss ablation: direct RMSE, RMSE bound, LTE, by RMSE and Frechet distance.

    uv run python -m experiments.ablations.losses

RK2-Bespoke fits that differ in nothing but the loss (those of the first two losses are
shared with `experiments.digits.solvers`). Frechet distances between the features of
4,096 samples and of the data set, also on each half of the noises: the difference of
the two halves is the sampling error of the figure. Also how far the bound lies above
the RMSE it bounds, at L_tau = 1 (the paper's) and at a measured L_tau. Writes
`results/losses-*.json`, `losses.png` and the block in README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

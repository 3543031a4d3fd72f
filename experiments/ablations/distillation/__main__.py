"""The network's weights freed instead of the solver's theta: is it better? (K.4)

    uv run python -m experiments.ablations.distillation

The midpoint solver stays as it is (identity theta) and Adam moves the weights of the
network under the LTE loss, on the training paths, batches and number of iterations of
the Bespoke fits of `experiments.digits.solvers`, which are shared. The learning rate
and the iterate are chosen on the validation paths. All RMSE are to the exact solutions
of the original network, from noises that no choice has seen. Interrupted, the same
command goes on with the run it was at; `--models eps_vp` does one model. Writes
`results/distillation-*.json`, a block of README.md and `distillation.png`.

Reference: Shaul et al. (2024), arXiv 2310.19075, appendix K.4.
"""

from experiments.harness import command

command.run(__package__, __doc__)

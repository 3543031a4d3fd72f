"""Is it better to train the network's weights than the solver's theta? (Appendix K.4)

    uv run python -m experiments.ablations.distillation

The midpoint solver is fixed (identity theta) and Adam trains the weights of the network
under the LTE loss, on the training paths, the batches and the number of iterations of
the Bespoke fits, which are shared with `experiments.digits.solvers`. The learning rate
and the iterate are chosen on the validation paths. Every RMSE is to the exact solutions
of the original network, from noises that no choice has used.

Reference: Shaul et al. (2024), arXiv 2310.19075, appendix K.4.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

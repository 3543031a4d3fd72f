"""What a fit costs: held-out RMSE against network evaluations and seconds.

    uv run python -m experiments.benchmarks.fitting

Every family with every loss that it can be fitted with, and `tailor`, on one digits
model at one NFE. All fits have the same ground truth, the same batches and the
optimiser of `harness.fitted`: they differ in family, start and loss only. Evaluations
count 1 forward and 2 more in reverse, validations included; the ground truth is the
same for all and reported separately. Fits run one after another; their seconds include
compilation, without the persistent compilation cache.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

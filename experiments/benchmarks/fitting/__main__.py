"""What a fit costs: held-out RMSE against network evaluations and seconds.

    uv run python -m experiments.benchmarks.fitting

Every family with every loss that it combines with, and `tailor`, on one digits model at
one NFE. All fits have the same ground truth, the same batches and the optimiser of
`harness.fitted`: they differ in family, start and loss alone. (`families.insert` is no
family: it makes a start of one evaluation more, which `tailor` uses.) Evaluations count
forward 1 and reverse 2, those of validation too; the ground truth, the same for all, is
said apart. Seconds are those of one run after the other, compilation included, without
the persistent compilation cache. Interrupted, the same command goes on. Writes
`fitting.json`, two figures and the block in README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

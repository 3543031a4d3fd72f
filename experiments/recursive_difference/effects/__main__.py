"""What moves SciRE's error besides phi: the grid's k, the end time, a biased network.

    uv run python -m experiments.recursive_difference.effects

- k: the NSR grid's parameter, at one NFE.
- end: the sample taken at 1 - 1e-3 or 1 - 1e-4, each against the exact solution there.
- bias: a network whose noise prediction is 0.99, 1 or 1.01 times the model's. Errors
  are against the exact solution of the unbiased model, so that a solver which undoes
  the bias would be below the biased model's own exact solution, the row "exact".

Spread is the samples' standard deviation about their mean over that of the unbiased
exact samples. Writes `results/effects-*.json` and the tables in README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

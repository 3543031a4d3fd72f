"""SciRE's error against the grid's k, the end time and a bias of the network.

    uv run python -m experiments.recursive_difference.effects

- k: the parameter of the NSR grid, at one NFE.
- end: the sample taken at 1 - 1e-3 or 1 - 1e-4, each against the exact solution there.
- bias: a network whose noise prediction is 0.99, 1 or 1.01 times the model's. Errors
  are against the exact solution of the unbiased model, so that a solver which undoes
  the bias is below the biased model's own exact solution, the row "exact".

Spread is the samples' standard deviation about their mean over that of the unbiased
exact samples.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

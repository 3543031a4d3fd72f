"""Compile time and trace count against the number of network evaluations.

    uv run python -m experiments.benchmarks.compiling

Digits U-Net. A midpoint solve, a solve by a dense solver (every row uses all velocities
before it) and the gradient of a midpoint solve with respect to its numbers are traced
and compiled afresh at every NFE, in turn, round after round, without the persistent
compilation cache; ratios to the smallest NFE are taken within a round. Traces are the
Python calls of the network over three sets of coefficients and weights.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

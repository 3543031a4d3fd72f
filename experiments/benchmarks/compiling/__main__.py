"""Compile time and trace count against the number of network evaluations.

    uv run python -m experiments.benchmarks.compiling

Digits U-Net. A solve by midpoint, one by a dense solver (every row of it sees all
velocities before it) and the gradient of a midpoint solve by its numbers are traced and
compiled afresh at every NFE, in turn, round after round, without the persistent
compilation cache; ratios to the fewest NFE are taken round by round. Traces are the
Python calls of the network over three sets of coefficients and weights. Writes
`compiling.json`, `compiling.png` and the table in README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

"""Peak memory and time per iteration of each loss and mode against the steps n.

    uv run python -m experiments.benchmarks.losses

Digits U-Net, RK2, value and gradient by theta. Every mode is compiled at every n; the
compiled functions are then timed in turn, round after round, so that a drifting machine
speed cancels from the ratios. Writes `losses.json`, `losses.png` and the tables in
README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

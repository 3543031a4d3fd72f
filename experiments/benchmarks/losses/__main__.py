"""Peak memory and time per iteration of each loss and mode against the steps n.

    uv run python -m experiments.benchmarks.losses

Digits U-Net, RK2, value and gradient with respect to theta. Every mode is compiled at
every n; the compiled functions are then timed in turn, round after round, so that a
drift of the machine's speed cancels from the ratios.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

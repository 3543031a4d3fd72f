"""How long the command line takes to answer what needs no computation.

    uv run python -m experiments.benchmarks.startup

Processes are started in turn, round after round: an interpreter that only imports
NumPy, rich and tyro, which every command needs, and commands that must not import JAX.
Ratios to the former are taken round by round.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

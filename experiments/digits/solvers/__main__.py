"""Bespoke RK1, RK2 and RK4, their bases, and diffrax's adaptive solvers.

    uv run python -m experiments.digits.solvers

At each NFE there is one fit of the direct loss for each base, and one of the RMSE bound
for RK2. At the smallest NFE there are also two fits with ten times the effort, from the
base solver and from the base solver on another path (Theorem 2.3), which show what the
family can do. Iterates are selected on validation paths; the figures are from other
noises.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

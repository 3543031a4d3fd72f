"""One curve of time and scale for all numbers of steps.

    uv run python -m experiments.digits.curve

One theta of `bj.families.curve` on the midpoint rule is fitted at a few numbers of
steps at once, and measured at all of them next to its base and to RK2-Bespoke, which is
fitted for one number of steps. Iterates are selected on validation paths; the figures
are from other noises.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

"""Every training-free solver on every grid, and which one to choose.

    uv run python -m experiments.digits.training_free

All of `solvers.TABLE` with its defaults, and the multistep SciRE-Solvers with phi="fd",
on each named grid that the model's path allows. The choice at an NFE is the solver and
grid whose largest ratio to the best one, over the models of a kind, is smallest: what
to use on a model that cannot be tried first. Also writes the advice in the README of
the project.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

"""Classifier-free guidance: a solver fitted at one weight, used at the others.

    uv run python -m experiments.ablations.guidance

The class-conditional digits model under u + w (u - u_uncond). An evaluation of this
field costs two of the network. At each weight w there is ground truth of the guided
field and one RK2-Bespoke fit of the direct loss. Every solver, and midpoint and euler,
is then run at every weight from the same noises and classes.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

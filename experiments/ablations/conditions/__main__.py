"""Classifier-free guidance: one solver for every weight, beside one fit for each.

    uv run python -m experiments.ablations.conditions

The class-conditional digits model under u + w (u - u_uncond), w in [0, 6], an input of
each sample. `bj.tailor(condition=w)` fits one solver for all weights from paths whose
weights fill the interval. Beside it stand the native fits, of as many paths of one
weight, one of them used at the other weights, and the best training-free solver.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

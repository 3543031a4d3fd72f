"""The picture and the table at the top of the project's README.

    uv run python -m experiments.digits.headline

Samples of the diffusion model from the same noises by generic solvers and by a fitted
one, at few network evaluations, with the exact solution. The noises are the first of
their seed, which no fit has used. The errors are those of `experiments.digits.tailor`
and `experiments.digits.training_free`.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

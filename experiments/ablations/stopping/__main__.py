"""Two stopping criteria: best validation RMSE and best Frechet distance.

    uv run python -m experiments.ablations.stopping

The tables of the paper report the iterate with the best FID, which is also their figure
of merit; its images show the one with the best validation RMSE. Here one fit keeps all
its iterates. The Frechet distance (features of the digits classifier, to the data set)
selects on one half of the noises and is reported on the other half, so that the choice
is not made on the reported figure.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

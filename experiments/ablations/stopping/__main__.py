"""Two stopping criteria: best validation RMSE against best Frechet distance.

    uv run python -m experiments.ablations.stopping

The paper's tables report the iterate with the best FID, which is also their figure of
merit; its images the one with the best validation RMSE. Here one fit keeps all its
iterates. The Frechet distance (features of the digits classifier, to the data set)
selects on one half of the noises and is reported on the other, so that the choice is
not made on the figure reported. Writes `results/stopping-*.json`, `stopping.png` and a
block of README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

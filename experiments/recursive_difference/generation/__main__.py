"""Samples of every SciRE variant, its finite-difference twin and the other solvers.

    uv run python -m experiments.recursive_difference.generation

All rules on one grid (NSR, k = 3.1), so that only the rule differs; EDM-Heun on its own
grid as well. Mean squared error to the exact solution from the same noise; for digits
also the Frechet distance of the samples' classifier features to those of the data set,
and for all the samples' spread: the standard deviation about their mean, over that of
the exact samples. `--models eps_vp` does one model; the page is written from all that
are there. Few samples near the boundary between modes make most of a mixture's mean
squared error, hence its median too. Writes `results/generation-*.json`, the tables in
README.md and TABLES.md, and `generation.png`.
"""

from experiments.harness import command

command.run(__package__, __doc__)

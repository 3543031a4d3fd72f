"""Samples of every SciRE variant, its finite-difference twin and the other solvers.

    uv run python -m experiments.recursive_difference.generation

All rules use one grid (NSR, k = 3.1), so that they differ in the rule only; EDM-Heun is
also run on its own grid. Measures the mean squared error to the exact solution from the
same noise; for digits the Frechet distance of the samples' classifier features to those
of the data set; and the spread of the samples, their standard deviation about the mean
over that of the exact samples. A few samples near the boundary between modes make most
of the mean squared error of a mixture, so its median is given too.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

"""`tailor` on analytic mixtures, and the best solvers of peers and of the library.

    uv run python -m experiments.mixture

Five 8-D mixtures (6 modes with standard-normal centres, standard deviation 0.15) on
the VP path to 1 - 1e-3, in float64. Fits use 1,024 noises, the figures 2,048 others:
the median over mixtures of the median per-sample RMSE, and the flip rate, which is the
share of samples whose error exceeds a tenth of the median distance of independent
samples. Each NFE is also started from the one below, so that none can be worse. There
is one fresh fit for each NFE, all in one process; its seconds include compilation but
not the ground truth.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

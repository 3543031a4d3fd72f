"""`tailor` on analytic mixtures, and the best solvers of peers and of the library.

    uv run python -m experiments.mixture

Five 8-D mixtures (6 modes with standard-normal centres, standard deviation 0.15) on
the VP path to 1 - 1e-3, in float64. Fits use 1,024 noises and, beyond their ground
truth, 400,000 evaluations; the figures use 2,048 other noises: the median over mixtures
of the median per-sample RMSE, and the flip rate, which is the share of samples whose
error exceeds a tenth of the median distance of independent samples. Solvers are fitted
for either judge. Each NFE is also started from the one below. There is one fresh fit
for each NFE, all in one process; its seconds include compilation but not the ground
truth. OLSS and the best training-free solver are measured beside them.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

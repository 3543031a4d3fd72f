"""`tailor` on analytic mixtures, against the peers' best and the library's own.

    uv run python -m experiments.mixture

Five 8-D mixtures (6 modes with standard-normal centres, standard deviation 0.15) on
the VP path to 1 - 1e-3, in float64. Fitting on 1,024 noises, figures on 2,048 others:
the median over mixtures of the median per-sample RMSE, and the flip rate, the share of
samples whose error exceeds a tenth of the median distance of independent samples. Each
NFE is also started from the one below, so that none can be worse. One process, one
fresh fit per NFE; seconds are those of `tailor` without its ground truth, compilation
included. Writes `results.json`, the table in README.md and `rmse_nfe.png`.
"""

from experiments.harness import command

command.run(__package__, __doc__)

"""Bespoke RK1, RK2 and RK4 against their bases and diffrax's adaptive solvers.

    uv run python -m experiments.digits.solvers

Ground truth once per model; at each NFE one fit of the direct loss per base and one of
the RMSE bound for RK2; at the smallest NFE ten times the effort as well, from the base
solver and from the base solver on another path (Theorem 2.3), which shows what the
family can do. Validation paths select, the figures are from other noises.
Interrupted, the same command goes on where it stopped. `--models eps_vp` does one
model; the page is written from all that are there. Writes `results/solvers-*.json`, the
tables in README.md and `rmse_nfe.png`.
"""

from experiments.harness import command

command.run(__package__, __doc__)

"""How well a solver fitted on one model works on another, RK2-Bespoke, direct RMSE.

    uv run python -m experiments.ablations.transfer

Between schedules, fm_ot to fm_cs and back: the solver as it is, and on the target's
field after a change to the schedule of the source (theorem 2.3: the same noise gives
the same sample). Between resolutions: the 8x8 solver of fm_ot on the 16x16 model. All
are compared on test paths of the target with its native fit and with midpoint, the
base, before and after the change. The fits of 8x8 models are those of
`experiments.digits.solvers`. Interrupted, the same command goes on where it stopped;
`--pairs fm_ot-fm_cs` does one pair, the page is written from all that are there. Writes
`results/transfer-*.json`, the block "transfer" of README.md and `transfer.png`.
"""

from experiments.harness import command

command.run(__package__, __doc__)

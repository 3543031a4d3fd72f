"""How well a solver fitted on one model works on another, RK2-Bespoke, direct RMSE.

    uv run python -m experiments.ablations.transfer

Between schedules, fm_ot to fm_cs and back: the solver as it is, and on the target's
field after a change to the schedule of the source (Theorem 2.3: the same noise gives
the same sample). Between resolutions: the 8x8 solver of fm_ot on the 16x16 model. Each
is compared, on test paths of the target, with the target's own fit and with midpoint,
its base, before and after the change. The fits of 8x8 models are shared with
`experiments.digits.solvers`; `--pairs fm_ot-fm_cs` measures one pair.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

"""Does time or scale matter more? RK2-Bespoke with one of the two fixed.

    uv run python -m experiments.ablations.time_scale

`learn="time"` fixes s = 1 and s' = 0, `learn="scale"` fixes t_r = end r and t' = end;
the fit of both is shared with `experiments.digits.solvers`. Direct RMSE loss; the
figures are from test noises.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

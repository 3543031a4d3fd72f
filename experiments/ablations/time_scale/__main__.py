"""Is time or scale the part that matters? RK2-Bespoke with one of the two fixed.

    uv run python -m experiments.ablations.time_scale

`learn="time"` fixes s = 1 and s' = 0, `learn="scale"` fixes t_r = end r and t' = end;
both learned is the fit of `experiments.digits.solvers`. Direct RMSE loss; the figures
are from test noises. `--models eps_vp` does one model; the page is written from all
that are there. Writes `results/time_scale-*.json`, `time_scale.png` and a block of
README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

"""What happens to theta as n grows: are the learned t_r and s_r converging?

    uv run python -m experiments.ablations.limit

RK2 fits of the RMSE bound (the paper's loss) and of the direct loss; those up to 24
evaluations are the fits of `experiments.digits.solvers`. The gauge is fixed, and a
third curve needs no gauge: the effective drift. A step is, to first order in u,

    x_{i+1} = (C + D P) x_i + (D Q + E) u,

and a scale-time map whose s' is the derivative of its s has C + D P = 1 + O(h^3); the
drift n (C + D P - 1) says how far the learned numbers are from such a map. Writes
`results/limit-*.json`, `limit.png` and a block of README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

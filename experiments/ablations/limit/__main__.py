"""What happens to theta as n grows: do the learned t_r and s_r converge?

    uv run python -m experiments.ablations.limit

RK2 fits of the RMSE bound (the paper's loss) and of the direct loss; those up to 24
evaluations are shared with `experiments.digits.solvers`. The redundancy of theta is
fixed. A third curve, the effective drift, has none: a step is, to first order in u,

    x_{i+1} = (C + D P) x_i + (D Q + E) u,

and a scale-time map whose s' is the derivative of its s has C + D P = 1 + O(h^3); the
drift n (C + D P - 1) measures how far the learned numbers are from such a map.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

"""`tailor` on the digits models, and every other solver of the library.

    uv run python -m experiments.digits.tailor

One fit for each model and NFE on the shared ground truth, started from all
training-free solvers and from the fit at one NFE less. It is compared on test noises
with the best training-free solver on its best grid (chosen on these very noises, which
is in its favour) and with RK1-, RK2- and RK4-Bespoke of `experiments.digits.solvers`.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

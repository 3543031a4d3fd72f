"""`tailor` on the digits models, and every other solver of the library.

    uv run python -m experiments.digits.tailor

For each model and NFE two fits: "best" on the shared ground truth, and "seconds", rows
by regression from 32 noises whose ground truth it solves for itself. For one model also
every NFE from 3 to 20 in one call. They are compared on test noises with the best
training-free solver on its best grid (chosen on these very noises, which is in its
favour), with RK1-, RK2- and RK4-Bespoke of `experiments.digits.solvers` and with OLSS.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

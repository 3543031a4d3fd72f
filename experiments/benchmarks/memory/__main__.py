"""Memory of `sample` and of its gradient against NFE and solver.

    uv run python -m experiments.benchmarks.memory

Digits U-Net. Memory is what XLA reserves for the temporaries of the compiled program;
arguments (weights, noises, the solver) are not counted. There are three programs: the
solve, and its gradient with respect to the solver's numbers with `checkpoint=True` (the
network is recomputed in the backward pass) and with `checkpoint=False` (activations are
kept). A state is one batch of samples, the unit in which solvers differ. Nothing is
run, so that the figures do not depend on the machine's speed.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

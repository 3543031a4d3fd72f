"""Memory of `sample` and of its gradient against NFE and solver.

    uv run python -m experiments.benchmarks.memory

Digits U-Net. Memory is what XLA reserves for the compiled program's temporaries, its
peak by construction; arguments (weights, noises, the solver) are not counted. Three
programs: the solve, and its gradient by the solver's numbers with `checkpoint=True`
(the network recomputed in the backward pass) and with `checkpoint=False` (activations
kept). A state is one batch of samples, the unit in which solvers differ. Nothing is
run, so that the figures do not depend on the machine's speed. Writes `memory.json`,
`memory.png` and the tables in README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

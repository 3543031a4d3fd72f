"""Other programs' samplers beside ours: the same samples, the same error, the time.

    uv run --group peers python -m experiments.benchmarks.peers

diffusers, torchdiffeq, flow_matching and azula, run as they are on the exact field of
a Gaussian mixture (8-D, 6 modes), each beside a solver here, from the same noise and
through the same noise levels (`pairs`). The error is taken to the exact solution
of the program's own interval, by torchdiffeq's dopri8 in float64. Samplers of a program
and ours run in float32 and are timed in turn, after a run of each that is not timed.
Writes `peers.json`, `peers.png` and the tables in README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

"""Samplers of other programs and ours: the same samples, the same error, the time.

    uv run --group peers python -m experiments.benchmarks.peers

diffusers, torchdiffeq, flow_matching and azula, as installed, on the exact field of a
Gaussian mixture (8-D, 6 modes), each paired with a solver of this library (`pairs`),
from the same noise and through the same noise levels. Errors are to the exact solution
on the program's own interval, by torchdiffeq's dopri8 in float64. The samplers run in
float32 and are timed in turn, after one run of each that is not timed.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

"""What `sample` costs over its bare network calls.

    uv run python -m experiments.benchmarks.overhead

Four fields: the digits U-Net (batch 64), a DiT of about 30 M random parameters (batch
1), a perceptron that does little work for each number of a large state (batch 512), and
the exact field of a mixture in two dimensions (batch 256), whose call takes
microseconds. A solve is timed in turn with the same number of jitted calls, each of
which needs the one before, and with the same calls in one compiled loop that does
nothing else: the first is what a user would write, the second the least that a solve
can cost. Ratios are taken round by round, so that a drifting machine speed cancels.
Writes `overhead.json` and the table in README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

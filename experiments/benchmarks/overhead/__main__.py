"""What `sample` costs over its bare network calls.

    uv run python -m experiments.benchmarks.overhead

Four fields: the digits U-Net (batch 64), a DiT of about 30 M random parameters (batch
1), a perceptron that does little work for each number of a large state (batch 512), and
the exact field of a mixture in two dimensions (batch 256), whose call takes
microseconds. A solve is timed in turn with the same number of jitted calls, each of
which needs the one before, and with the same calls in one compiled loop that does
nothing else: the first is what a user would write, the second the least that a solve
can cost. Ratios are taken within a round, so that a drift of the machine's speed
cancels.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

"""Peak memory of whole fits at image size, against NFE and the number of paths.

    uv run python -m experiments.benchmarks.fit_memory

A U-Net with random weights for 32 x 32 x 3 images, in batches of 64. Every fit is a
process of its own; its peak is what the operating system says at the end. Beside it
stands the peak of a process that evaluates the network once on such a batch, and once
with its reverse pass.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

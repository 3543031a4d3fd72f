"""What exact solutions cost: `reference.solve`, a plain diffrax call, torchdiffeq.

    uv run --group peers python -m experiments.benchmarks.ground_truth

The digits FM-OT U-Net, rebuilt in torch with the same weights (`torch_unet`; one call
of both is compared first), from the same noise. The error of each method is measured
against a solve in float64 at a far tighter tolerance. Tolerances are swept, so that
costs can be compared at equal error. Seconds are medians of runs in turn, after a first
run that compiles.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

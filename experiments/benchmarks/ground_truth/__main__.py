"""What exact solutions cost: `reference.solve`, a plain diffrax call, torchdiffeq.

    uv run --group peers python -m experiments.benchmarks.ground_truth

The digits FM-OT U-Net, mirrored in torch with the same weights (`torch_unet`; one call
of both is compared first), from the same noise. What each method delivers is measured
to a solve in float64 at a far tighter tolerance. Tolerances are swept, so that costs
can be read at equal error. Seconds are medians of runs in turn, after a first that
compiles. Writes `ground_truth.json`, `ground_truth.png` and the tables in README.md.
"""

from experiments.harness import command

command.run(__package__, __doc__)

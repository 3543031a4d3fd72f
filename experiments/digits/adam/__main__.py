"""What `tailor` costs beside the recipe of the BNS paper: 15,000 iterations of Adam.

    uv run python -m experiments.digits.adam

The same non-stationary family on the same paths and the same held-out paths: Adam on
the direct loss, batch 40, cosine decay, the learning rate the best of three after 500
iterations (not counted), against `tailor`. Both start from what they know: Adam from
the best training-free solver that `tailor` measures. Network evaluations count forward
1 and reverse 2. Interrupted, the same command goes on. Writes `results/adam.json`, the
sentences in README.md and `adam.png`.
"""

from experiments.harness import command

command.run(__package__, __doc__)

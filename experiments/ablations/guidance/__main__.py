"""Classifier-free guidance: a solver fitted at one weight, used at the others.

    uv run python -m experiments.ablations.guidance

The class-conditional digits model under u + w (u - u_uncond), of which an evaluation
costs two of the network. At each weight w: ground truth of the guided field and one
RK2-Bespoke fit of the direct loss; then every solver at every weight, midpoint and
euler beside them, all from the same noises and classes. Interrupted, the same command
goes on where it stopped. Writes `results/guidance-fm_ot_class.json`, the block
"guidance" of README.md and `guidance.png`.
"""

from experiments.harness import command

command.run(__package__, __doc__)

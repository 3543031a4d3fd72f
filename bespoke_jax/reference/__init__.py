"""Ground truth by diffrax: adaptive Runge-Kutta, one tolerance per sample.

Every sample is its own adaptive solve (its own steps and error norm), so no sample's
error hides behind the others'. Dense states are kept at knots shared by all samples,
placed where the solver itself took its steps and as many as cubic interpolation needs
to stay below the tolerance. A certificate measures the error independently, on a few
samples.

Reference: Kidger (2021), On Neural Differential Equations, arXiv 2202.02435 (diffrax);
Tsitouras (2011) and Dormand and Prince (1980) for the two pairs.
"""

from bespoke_jax.reference.solving import invert as invert
from bespoke_jax.reference.solving import solve as solve
from bespoke_jax.reference.solving import solve_at as solve_at
from bespoke_jax.reference.solving import solve_for as solve_for

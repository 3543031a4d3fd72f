"""Custom-fitted ODE samplers for pre-trained flow and diffusion models.

A field becomes a velocity (`fields`), a solver is data (`Solver`), ground truth comes
from diffrax (`reference`), families learn (`families`, `fit`), one scan runs them all
(`sample`), a card ships them (`card`).
"""

from bespoke_jax import (
    card,
    demo,
    families,
    fields,
    grids,
    losses,
    metrics,
    model,
    paths,
    reference,
    schedules,
    solvers,
)
from bespoke_jax._version import __version__
from bespoke_jax.certify import Verdict, certify, row_sums
from bespoke_jax.families import Family
from bespoke_jax.fit import Fitted, fit
from bespoke_jax.fitting.search import Tailored
from bespoke_jax.fitting.tailor import tailor
from bespoke_jax.model import Model
from bespoke_jax.paths import Paths
from bespoke_jax.solver import (
    Solver,
    canonical,
    sample,
    trace,
    trajectory,
    validate,
)

__all__ = [
    "Family",
    "Fitted",
    "Model",
    "Paths",
    "Solver",
    "Tailored",
    "Verdict",
    "canonical",
    "card",
    "certify",
    "demo",
    "families",
    "fields",
    "fit",
    "grids",
    "losses",
    "metrics",
    "model",
    "paths",
    "reference",
    "row_sums",
    "sample",
    "schedules",
    "solvers",
    "tailor",
    "trace",
    "trajectory",
    "validate",
    "__version__",
]

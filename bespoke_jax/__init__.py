"""Custom-fitted ODE samplers for pre-trained flow and diffusion models.

A field becomes a velocity (`fields`), a solver is data (`Solver`), ground truth comes
from diffrax (`reference`), families learn (`families`, `fit`), one scan runs them all
(`sample`), a card ships them (`card`).

Submodules are imported when they are first used (PEP 562), so that importing the
package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bespoke_jax._version import __version__

if TYPE_CHECKING:
    from bespoke_jax import cards as card
    from bespoke_jax import (
        demo,
        families,
        fields,
        grids,
        metrics,
        reference,
        report,
        schedules,
        solvers,
    )
    from bespoke_jax.core.conditional import Conditional, conditional
    from bespoke_jax.core.sample import sample, trajectory
    from bespoke_jax.core.solver import Solver, canonical, validate
    from bespoke_jax.core.tracing import trace
    from bespoke_jax.families.family import Family
    from bespoke_jax.fields import model
    from bespoke_jax.fields.model import Model
    from bespoke_jax.fitting import losses
    from bespoke_jax.fitting.fit import fit
    from bespoke_jax.fitting.fitted import Fitted, FittedJoint
    from bespoke_jax.fitting.olss import olss
    from bespoke_jax.fitting.regression import regress
    from bespoke_jax.fitting.tailor import tailor
    from bespoke_jax.fitting.tailored import Tailored, TailoredSet
    from bespoke_jax.metrics.order import Verdict, certify, row_sums
    from bespoke_jax.reference import paths
    from bespoke_jax.reference.paths import Paths
    from bespoke_jax.report import figures as plots

_MODULES = {
    "card": "cards",
    "demo": "demo",
    "families": "families",
    "fields": "fields",
    "grids": "grids",
    "losses": "fitting.losses",
    "metrics": "metrics",
    "model": "fields.model",
    "paths": "reference.paths",
    "plots": "report.figures",
    "reference": "reference",
    "report": "report",
    "schedules": "schedules",
    "solvers": "solvers",
}
_HOMES = {
    "Conditional": "core.conditional",
    "Family": "families.family",
    "Fitted": "fitting.fitted",
    "FittedJoint": "fitting.fitted",
    "Model": "fields.model",
    "Paths": "reference.paths",
    "Solver": "core.solver",
    "Tailored": "fitting.tailored",
    "TailoredSet": "fitting.tailored",
    "Verdict": "metrics.order",
    "canonical": "core.solver",
    "certify": "metrics.order",
    "conditional": "core.conditional",
    "fit": "fitting.fit",
    "olss": "fitting.olss",
    "regress": "fitting.regression",
    "row_sums": "metrics.order",
    "sample": "core.sample",
    "tailor": "fitting.tailor",
    "trace": "core.tracing",
    "trajectory": "core.sample",
    "validate": "core.solver",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        found = import_module(f"{__name__}.{_MODULES[name]}")
    elif name in _HOMES:
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__])


__all__ = [
    "Conditional",
    "Family",
    "Fitted",
    "FittedJoint",
    "Model",
    "Paths",
    "Solver",
    "Tailored",
    "TailoredSet",
    "Verdict",
    "__version__",
    "canonical",
    "card",
    "certify",
    "conditional",
    "demo",
    "families",
    "fields",
    "fit",
    "grids",
    "losses",
    "metrics",
    "model",
    "olss",
    "paths",
    "plots",
    "reference",
    "regress",
    "report",
    "row_sums",
    "sample",
    "schedules",
    "solvers",
    "tailor",
    "trace",
    "trajectory",
    "validate",
]

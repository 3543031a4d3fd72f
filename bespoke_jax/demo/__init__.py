"""Three small pre-trained models of handwritten digits, shipped with the package.

A Flax U-Net trained three ways on scikit-learn's 8x8 digits: the velocity of a straight
path (`fm_ot`), the velocity of a Cosine path (`fm_cs`) and the noise of a
variance-preserving diffusion (`eps_vp`). `experiments/digits` trains them. Pixels are
on [-1, 1], so PSNR and the like take `data_range` 2.
"""

from importlib import resources
from typing import Any, NamedTuple

from bespoke_jax import fields, schedules
from bespoke_jax.core.checks import nearest
from bespoke_jax.core.counting import FORWARD, REVERSE
from bespoke_jax.core.protocols import Schedule
from bespoke_jax.demo import weights
from bespoke_jax.demo.unet import UNet
from bespoke_jax.fields.model import Model

SHAPE = (8, 8, 1)
DATA_RANGE = 2.0


class Recipe(NamedTuple):
    """What a network was trained for, and where its ODE ends."""

    schedule: Schedule
    kind: str  # what the network predicts, in the words of `fields.from_prediction`
    end: float
    description: str


RECIPES = {
    "fm_ot": Recipe(
        schedules.CondOT(), "velocity", 1.0, "flow matching, CondOT path (FM-OT)"
    ),
    "fm_cs": Recipe(
        schedules.Cosine(), "velocity", 1.0, "flow matching, Cosine path (FM/v-CS)"
    ),
    "eps_vp": Recipe(
        schedules.VP(beta_min=0.1, beta_max=20.0),
        "noise",
        # The path's velocity has an integrable singularity at t=1.
        1 - 1e-3,
        "noise prediction, VP path, beta 0.1..20 (eps-VP)",
    ),
}
NAMES = tuple(RECIPES)


def load(name: str) -> Model:
    """Load one of the shipped models: "fm_ot", "fm_cs" or "eps_vp".

    Its field takes x `(batch, 8, 8, 1)` and runs from noise, N(0, I) at t = 0, to
    digits on [-1, 1] at t = `end`.

    Raises:
        ValueError: there is no model of that name.
    """
    module, variables = network(name)
    recipe = RECIPES[name]
    out = fields.from_flax(module, variables)
    if recipe.kind == "velocity":
        field = out
    else:
        field = fields.from_prediction(out, recipe.schedule, kind=recipe.kind)
    return Model(
        name=name,
        description=recipe.description,
        field=field,
        schedule=recipe.schedule,
        end=recipe.end,
        shape=SHAPE,
        data_range=DATA_RANGE,
        training_evaluations=training_evaluations(_read(name).record),
    )


def training_evaluations(record: dict[str, Any]) -> int:
    """What training cost, forward 1 and reverse 2 more; a record counts samples."""
    return (FORWARD + REVERSE) * record["evaluations"]


def network(name: str) -> tuple[UNet, dict[str, Any]]:
    """The Flax module of a shipped model and its variables: `module(x, t)`.

    What it predicts, and on which path, is in `RECIPES[name]`.

    Raises:
        ValueError: as `load`.
    """
    return UNet(), {"params": _read(name).params}


def _read(name: str) -> weights.Weights:
    if not isinstance(name, str) or name not in RECIPES:
        near = nearest(str(name), RECIPES, count=1, cutoff=0.0)[0]
        raise ValueError(
            f"a demo model is one of {', '.join(RECIPES)}; got {name!r}"
            f" (did you mean {near!r}?)"
        )
    archive = resources.files(__name__) / f"{name}.npz"
    return weights.read(archive.read_bytes())

"""The digits models: the three of `bespoke_jax.demo`, and those only studied here."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

import bespoke_jax as bj
from bespoke_jax.demo import weights

CLASSES = 10  # also the label that stands for no label
SIGMA_DATA = 0.75  # standard deviation of the pixels, for EDM's preconditioning
WEIGHTS = Path(__file__).parent / "weights"


class Recipe(NamedTuple):
    """A network to train, and how it becomes a velocity field."""

    base: bj.demo.Recipe
    module: bj.demo.UNet
    size: int = 8  # pixels a side

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.size, self.size, 1)


# From sigma_max down to sigma_min both ends are regular: F sees no singularity.
EDM = bj.demo.Recipe(
    bj.schedules.EDM(), "edm", 1.0, "EDM preconditioning, VE path, sigma 0.002..80"
)
RECIPES = {
    **{name: Recipe(base, bj.demo.UNet()) for name, base in bj.demo.RECIPES.items()},
    "fm_ot_class": Recipe(
        bj.demo.RECIPES["fm_ot"]._replace(
            description="flow matching, CondOT path, conditioned on the digit's class"
        ),
        bj.demo.UNet(classes=CLASSES),
    ),
    # Fewer channels on four times the pixels: an evaluation costs about the same.
    "fm_ot_16": Recipe(
        bj.demo.RECIPES["fm_ot"]._replace(
            description="flow matching, CondOT path, digits upscaled to 16x16"
        ),
        bj.demo.UNet(fine=16, coarse=32),
        size=16,
    ),
    "edm": Recipe(EDM, bj.demo.UNet()),
}


def file_of(name: str) -> Path:
    """Where the weights of a model lie: package data for those of `demo`."""
    if name in bj.demo.NAMES:
        return Path(bj.demo.__file__).parent / f"{name}.npz"
    return WEIGHTS / f"{name}.npz"


def load(name: str) -> bj.Model:
    """A trained model; `fm_ot_class` takes c, the labels, and draws them for noise."""
    if name in bj.demo.NAMES:
        return bj.demo.load(name)
    base, module, _ = recipe = RECIPES[name]
    params, record = weights.read(file_of(name).read_bytes())
    network = bj.fields.from_flax(module, {"params": params})
    if base.kind == "edm":
        field = bj.fields.from_prediction(
            network,
            base.schedule,
            kind="edm",
            time="log_sigma/4",
            sigma_data=SIGMA_DATA,
        )
    else:
        field = network
    labels = lambda key, n: jax.random.randint(key, (n,), 0, CLASSES, jnp.int32)
    return bj.Model(
        name=name,
        description=base.description,
        field=field,
        schedule=base.schedule,
        end=base.end,
        shape=recipe.shape,
        data_range=bj.demo.DATA_RANGE,
        training_evaluations=bj.demo.training_evaluations(record),
        c=labels if module.classes else None,
    )

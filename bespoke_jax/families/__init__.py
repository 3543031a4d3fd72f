"""Learned families of solvers: one paper per file, each returning a `Family`."""

from bespoke_jax.families.family import Family, Joint, Steps
from bespoke_jax.families.nonstationary import insert, nonstationary
from bespoke_jax.families.scale_time.curve import Curve, curve
from bespoke_jax.families.scale_time.family import scale_time
from bespoke_jax.families.scale_time.starts import from_path, from_schedules
from bespoke_jax.families.timesteps import timesteps

__all__ = [
    "Curve",
    "Family",
    "Joint",
    "Steps",
    "curve",
    "from_path",
    "from_schedules",
    "insert",
    "nonstationary",
    "scale_time",
    "timesteps",
]

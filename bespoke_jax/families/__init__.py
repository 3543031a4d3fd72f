"""Learned families of solvers: one paper a file, each returns a `Family`."""

from bespoke_jax.families.family import Family, Steps
from bespoke_jax.families.scale_time import scale_time

__all__ = ["Family", "Steps", "scale_time"]

"""The scale-time family: a base solver on a learned change of time and scale."""

from bespoke_jax.families.scale_time.curve import Curve, curve
from bespoke_jax.families.scale_time.family import scale_time
from bespoke_jax.families.scale_time.starts import from_path, from_schedules

__all__ = ["Curve", "curve", "from_path", "from_schedules", "scale_time"]

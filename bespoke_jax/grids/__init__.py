"""Time grids: where a solver of n steps puts its n + 1 times, on the host in float64.

Every function returns a NumPy array of n + 1 strictly increasing library times (0 is
noise, 1 is data) whose first and last entries are exactly `start` and `end`. Each named
grid is uniform in one variable, which its docstring names; u = 1 - t is the time of the
diffusion papers, and NSR = sigma / alpha comes from the schedule. The end is always
explicit: log-SNR and NSR grids need it before the data (`end=1 - 1e-3`), where the
NSR is not yet 0. Every function raises ValueError for a bad n, start, end or shape
parameter.

`explicit`, `from_sigmas` and `from_timesteps` read lists. `resolve` turns what a
solver's `grid=` argument accepts into times, for every solver and family alike; a
`Layout` carries such a grid with its schedule, start and end.

`profile` and `optimal_steps` measure exact paths and make grids of any number of steps
from them; they are imported when first used (PEP 562), for ground truth needs more than
grids do.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bespoke_jax.grids.checks import MOST_STEPS as MOST_STEPS
from bespoke_jax.grids.layout import Layout as Layout
from bespoke_jax.grids.lists import explicit as explicit
from bespoke_jax.grids.lists import from_sigmas as from_sigmas
from bespoke_jax.grids.lists import from_timesteps as from_timesteps
from bespoke_jax.grids.named import edm as edm
from bespoke_jax.grids.named import log_snr as log_snr
from bespoke_jax.grids.named import nsr as nsr
from bespoke_jax.grids.named import quadratic as quadratic
from bespoke_jax.grids.named import shift as shift
from bespoke_jax.grids.named import shift_of as shift_of
from bespoke_jax.grids.named import sigmoid as sigmoid
from bespoke_jax.grids.named import uniform as uniform
from bespoke_jax.grids.resolving import NAMES as NAMES
from bespoke_jax.grids.resolving import REACH as REACH
from bespoke_jax.grids.resolving import GridLike as GridLike
from bespoke_jax.grids.resolving import resolve as resolve

if TYPE_CHECKING:
    from bespoke_jax.grids.density import Profile as Profile
    from bespoke_jax.grids.density import profile as profile
    from bespoke_jax.grids.optimal import OptimalSteps as OptimalSteps
    from bespoke_jax.grids.optimal import optimal_steps as optimal_steps

_HOMES = {
    "OptimalSteps": "optimal",
    "Profile": "density",
    "optimal_steps": "optimal",
    "profile": "density",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

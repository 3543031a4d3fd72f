"""Training-free solvers: one paper a file, each function returns a `Solver`.

`TABLE` lists them all with order, cost and source; it drives the command line, the
README's table and the contract tests.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from bespoke_jax.core import checks
from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.solvers._scire import recursive_difference
from bespoke_jax.solvers.adams_bashforth import adams_bashforth
from bespoke_jax.solvers.ddim import ddim
from bespoke_jax.solvers.deis import deis_rho_ab, deis_tab
from bespoke_jax.solvers.dpm_solver import (
    dpm_solver_1,
    dpm_solver_2,
    dpm_solver_2m,
    dpm_solver_3,
    dpm_solver_3m,
    dpm_solver_fast,
)
from bespoke_jax.solvers.dpm_solver_pp import (
    dpm_solver_pp_2m,
    dpm_solver_pp_2s,
    dpm_solver_pp_3m,
    dpm_solver_pp_3s,
)
from bespoke_jax.solvers.edm import edm_dpm_2, edm_euler, edm_heun
from bespoke_jax.solvers.ipndm import ipndm, ipndm_v
from bespoke_jax.solvers.runge_kutta import (
    TABLEAUX,
    Tableau,
    euler,
    heun,
    heun3,
    kutta3,
    midpoint,
    ralston,
    rk4,
    runge_kutta,
    tableau,
)
from bespoke_jax.solvers.scire import (
    scire_v1_2,
    scire_v1_3,
    scire_v2_2,
    scire_v2_3,
    scirei_2,
)
from bespoke_jax.solvers.scire_multistep import (
    scire_v1_2m,
    scire_v1_3m,
    scire_v2_2m,
    scire_v2_3m,
)
from bespoke_jax.solvers.unipc import unipc


class Entry(NamedTuple):
    """A constructor and what is known of it."""

    constructor: Callable[..., Solver]
    order: int
    """Order of convergence that the source claims, or that its name stands for."""
    stages: int
    """Network evaluations per step."""
    takes: str
    """The keyword that sets its length: "steps" or "nfe"."""
    needs: tuple[str, ...]
    """What it cannot do without: () or ("schedule",)."""
    paper: str
    measured: float
    """Order of the defaults, measured: log2 of the error ratio from 384 to 768
    evaluations in float64, on a mixture's exact field (the tests recompute it)."""
    note: str = ""
    """Why the measured order is not the claimed one."""


def _runge_kutta(constructor: Callable[..., Solver], paper: str) -> Entry:
    method = TABLEAUX[constructor.__name__]
    order = method.order
    return Entry(constructor, order, method.stages, "steps", (), paper, float(order))


def _nfe(
    constructor: Callable[..., Solver],
    order: int,
    stages: int,
    paper: str,
    measured: float,
    note: str = "",
) -> Entry:
    needs = ("schedule",)
    return Entry(constructor, order, stages, "nfe", needs, paper, measured, note)


_SONG = "Song et al. (2020), arXiv 2010.02502"
_DPM = "Lu et al. (2022), arXiv 2206.00927"
_DPM_PP = "Lu et al. (2022), arXiv 2211.01095"
_EDM = "Karras et al. (2022), arXiv 2206.00364"
_DEIS = "Zhang and Chen (2022), arXiv 2204.13902"
_PNDM = "Liu et al. (2022), arXiv 2202.09778"
_UNIPC = "Zhao et al. (2023), arXiv 2302.04867"
_SCIRE = "Li et al. (2023), arXiv 2308.07896"

_START = "its first steps are of lower order"
_HALF = 'the program halves the curvature; variant="exact" has order 3'
_RD = 'a constant phi other than 1 leaves order 1; phi="fd" keeps '


TABLE: dict[str, Entry] = {
    "euler": _runge_kutta(euler, "Euler (1768)"),
    "midpoint": _runge_kutta(midpoint, "Runge (1895)"),
    "ralston": _runge_kutta(ralston, "Ralston (1962)"),
    "heun": _runge_kutta(heun, "Heun (1900)"),
    "kutta3": _runge_kutta(kutta3, "Kutta (1901)"),
    "heun3": _runge_kutta(heun3, "Heun (1900)"),
    "rk4": _runge_kutta(rk4, "Kutta (1901)"),
    "adams_bashforth": Entry(
        adams_bashforth, 2, 1, "nfe", (), "Bashforth and Adams (1883)", 2.0
    ),
    "ddim": _nfe(ddim, 1, 1, _SONG, 1.0),
    "dpm_solver_1": _nfe(dpm_solver_1, 1, 1, _DPM, 1.0),
    "dpm_solver_2": _nfe(dpm_solver_2, 2, 2, _DPM, 2.0),
    "dpm_solver_3": _nfe(dpm_solver_3, 3, 3, _DPM, 3.1),
    "dpm_solver_fast": _nfe(
        dpm_solver_fast, 3, 3, _DPM, 2.55, "its last steps are of lower order"
    ),
    "dpm_solver_2m": _nfe(dpm_solver_2m, 2, 1, _DPM, 2.0),
    "dpm_solver_3m": _nfe(dpm_solver_3m, 3, 1, _DPM, 2.05, _HALF),
    "dpm_solver_pp_2s": _nfe(dpm_solver_pp_2s, 2, 2, _DPM_PP, 2.0),
    "dpm_solver_pp_3s": _nfe(dpm_solver_pp_3s, 3, 3, _DPM_PP, 2.95),
    "dpm_solver_pp_2m": _nfe(dpm_solver_pp_2m, 2, 1, _DPM_PP, 2.0),
    "dpm_solver_pp_3m": _nfe(dpm_solver_pp_3m, 3, 1, _DPM_PP, 2.0, _HALF),
    "unipc": _nfe(unipc, 4, 1, _UNIPC, 3.1, _START),
    "deis_tab": _nfe(deis_tab, 4, 1, _DEIS, 2.4, _START),
    "deis_rho_ab": _nfe(deis_rho_ab, 4, 1, _DEIS, 4.0),
    "ipndm": _nfe(ipndm, 4, 1, _PNDM, 1.95, "its weights are those of equal steps"),
    "ipndm_v": _nfe(ipndm_v, 4, 1, _PNDM, 3.6, _START),
    "edm_euler": _nfe(edm_euler, 1, 1, _EDM, 1.0),
    "edm_heun": _nfe(edm_heun, 2, 2, _EDM, 2.0),
    "edm_dpm_2": _nfe(edm_dpm_2, 2, 2, _EDM, 2.0),
    "scire_v1_2": _nfe(scire_v1_2, 2, 2, _SCIRE, 1.0, _RD + "2"),
    "scire_v1_3": _nfe(
        scire_v1_3, 3, 3, _SCIRE, 0.95, _RD + '2, with stage="taylor" 3'
    ),
    "scire_v2_2": _nfe(scire_v2_2, 2, 2, _SCIRE, 1.0, _RD + "2"),
    "scire_v2_3": _nfe(
        scire_v2_3, 3, 3, _SCIRE, 1.05, _RD + '2, with stage="taylor" 3'
    ),
    "scire_v1_2m": _nfe(scire_v1_2m, 2, 1, _SCIRE, 0.95, _RD + "2"),
    "scire_v1_3m": _nfe(scire_v1_3m, 3, 1, _SCIRE, 0.95, _RD + "2"),
    "scire_v2_2m": _nfe(scire_v2_2m, 2, 1, _SCIRE, 1.0, _RD + "2"),
    "scire_v2_3m": _nfe(scire_v2_3m, 3, 1, _SCIRE, 0.95, _RD + "2"),
    "scirei_2": _nfe(scirei_2, 2, 2, _SCIRE, 1.0, _RD + "2"),
}


def construct(
    name: str,
    nfe: Count,
    *,
    schedule: Any = None,
    grid: Any = None,
    start: Number | None = None,
    end: Number | None = None,
) -> Solver:
    """The solver of that name with as many steps as `nfe` evaluations pay for.

    Args:
        name: a key of `TABLE`.
        nfe: evaluations to spend; methods of several stages leave nfe mod stages of
            them unused, unless they spend a remainder on lower orders.
        schedule: the model's schedule, for solvers and grids that need it.
        grid: a grid name or explicit times; None is the constructor's own default.
        start: the time of the first state, in [0, end); None is 0, the noise.
        end: the time of the sample, in (0, 1]; None is the constructor's own default.

    Raises:
        ValueError: an unknown name (with the nearest known ones), an nfe that does not
            pay for one step, a missing schedule, or what the constructor refuses.
    """
    if not isinstance(name, str) or name not in TABLE:
        near = checks.nearest(str(name), TABLE, cutoff=0.0)
        raise ValueError(
            f"no solver is named {checks.shown(name)}; nearest: {', '.join(near)}."
        )
    entry = TABLE[name]
    steps = checks.whole("nfe", nfe) // entry.stages
    if steps < 1:
        raise ValueError(
            f"{name} spends {entry.stages} evaluations a step; nfe = {nfe} pays for "
            "none."
        )
    if schedule is None and "schedule" in entry.needs:
        raise ValueError(f"{name} needs the model's schedule; pass schedule=....")
    options: dict[str, Any] = {"grid": grid, "start": start, "end": end}
    options = {key: value for key, value in options.items() if value is not None}
    options[entry.takes] = steps if entry.takes == "steps" else nfe
    return entry.constructor(schedule, **options)


__all__ = [
    "TABLE",
    "TABLEAUX",
    "Entry",
    "Tableau",
    "adams_bashforth",
    "construct",
    "ddim",
    "deis_rho_ab",
    "deis_tab",
    "dpm_solver_1",
    "dpm_solver_2",
    "dpm_solver_2m",
    "dpm_solver_3",
    "dpm_solver_3m",
    "dpm_solver_fast",
    "dpm_solver_pp_2m",
    "dpm_solver_pp_2s",
    "dpm_solver_pp_3m",
    "dpm_solver_pp_3s",
    "edm_dpm_2",
    "edm_euler",
    "edm_heun",
    "euler",
    "heun",
    "heun3",
    "ipndm",
    "ipndm_v",
    "kutta3",
    "midpoint",
    "ralston",
    "recursive_difference",
    "rk4",
    "runge_kutta",
    "scire_v1_2",
    "scire_v1_2m",
    "scire_v1_3",
    "scire_v1_3m",
    "scire_v2_2",
    "scire_v2_2m",
    "scire_v2_3",
    "scire_v2_3m",
    "scirei_2",
    "tableau",
    "unipc",
]

"""The training-free solvers by name: what each is, costs and needs, as plain data.

`TABLE` drives the command line, the README's table and the contract tests. This module
imports nothing but the standard library, so that listing the solvers is quick; an
entry's constructor is imported when it is first asked for.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bespoke_jax.core.solver import Solver


class Entry(NamedTuple):
    """A solver and what is known of it."""

    name: str
    """Its key in `TABLE`, and the name of its constructor."""
    module: str
    """The module of `bespoke_jax.solvers` that holds the constructor."""
    order: int
    """Order of convergence that the source claims, or that its name stands for."""
    stages: int
    """Network evaluations per step."""
    paper: str
    """The source."""
    measured: float
    """Order of the defaults, measured: log2 of the error ratio from 384 to 768
    evaluations in float64, on a mixture's exact field (the tests recompute it)."""
    note: str = ""
    """Why the measured order is not the claimed one."""
    needs: tuple[str, ...] = ("schedule",)
    """What it cannot do without: () or ("schedule",)."""
    aliases: tuple[str, ...] = ()
    """What other programs call it; `find` and `construct` know these names too."""

    @property
    def constructor(self) -> "Callable[..., Solver]":
        """The function that makes the solver: `constructor(schedule, nfe=..., ...)`."""
        return getattr(import_module(f"bespoke_jax.solvers.{self.module}"), self.name)


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
_EQUAL = "its weights are those of equal steps"
_LAST = "its last steps are of lower order"
_RD = 'a constant phi other than 1 leaves order 1; phi="fd" keeps 2'
_RD_3 = _RD + ', with stage="taylor" 3'


# fmt: off
_ENTRIES = (
    Entry("euler", "tableaux", 1, 1, "Euler (1768)", 1.0, needs=()),
    Entry("midpoint", "tableaux", 2, 2, "Runge (1895)", 2.0, needs=(),
          aliases=("rk2",)),
    Entry("ralston", "tableaux", 2, 2, "Ralston (1962)", 2.0, needs=()),
    Entry("heun", "tableaux", 2, 2, "Heun (1900)", 2.0, needs=(), aliases=("heun2",)),
    Entry("kutta3", "tableaux", 3, 3, "Kutta (1901)", 3.0, needs=(), aliases=("rk3",)),
    Entry("heun3", "tableaux", 3, 3, "Heun (1900)", 3.0, needs=()),
    Entry("rk4", "tableaux", 4, 4, "Kutta (1901)", 4.0, needs=()),
    Entry("adams_bashforth", "adams", 2, 1, "Bashforth and Adams (1883)", 2.0, needs=(),
          aliases=("ab2",)),
    Entry("adams_moulton", "adams", 3, 2, "Moulton (1926)", 3.0, needs=(),
          aliases=("pece",)),
    Entry("ddim", "first_order", 1, 1, _SONG, 1.0),
    Entry("dpm_solver_1", "first_order", 1, 1, _DPM, 1.0),
    Entry("dpm_solver_2", "dpm_solver", 2, 2, _DPM, 2.0),
    Entry("dpm_solver_3", "dpm_solver", 3, 3, _DPM, 3.1),
    Entry("dpm_solver_fast", "dpm_solver", 3, 3, _DPM, 2.55, _LAST,
          aliases=("dpm_fast",)),
    Entry("dpm_solver_2m", "dpm_solver", 2, 1, _DPM, 2.0),
    Entry("dpm_solver_3m", "dpm_solver", 3, 1, _DPM, 2.05, _HALF),
    Entry("dpm_solver_pp_2s", "dpm_solver_pp", 2, 2, _DPM_PP, 2.0,
          aliases=("dpmpp_2s",)),
    Entry("dpm_solver_pp_3s", "dpm_solver_pp", 3, 3, _DPM_PP, 2.95,
          aliases=("dpmpp_3s",)),
    Entry("dpm_solver_pp_2m", "dpm_solver_pp", 2, 1, _DPM_PP, 2.0,
          aliases=("dpmpp_2m",)),
    Entry("dpm_solver_pp_3m", "dpm_solver_pp", 3, 1, _DPM_PP, 2.0, _HALF,
          aliases=("dpmpp_3m",)),
    Entry("unipc", "uni_pc", 4, 1, _UNIPC, 3.1, _START, aliases=("uni_pc",)),
    Entry("deis_tab", "deis", 4, 1, _DEIS, 2.4, _START, aliases=("deis",)),
    Entry("deis_rho_ab", "deis", 4, 1, _DEIS, 4.0),
    Entry("ipndm", "pndm", 4, 1, _PNDM, 1.95, _EQUAL),
    Entry("ipndm_v", "pndm", 4, 1, _PNDM, 3.6, _START, aliases=("lms",)),
    Entry("edm_euler", "first_order", 1, 1, _EDM, 1.0),
    Entry("edm_heun", "edm", 2, 2, _EDM, 2.0),
    Entry("edm_dpm_2", "edm", 2, 2, _EDM, 2.0, aliases=("dpm_2",)),
    Entry("scire_v1_2", "scire", 2, 2, _SCIRE, 1.0, _RD),
    Entry("scire_v1_3", "scire", 3, 3, _SCIRE, 0.95, _RD_3),
    Entry("scire_v2_2", "scire", 2, 2, _SCIRE, 1.0, _RD),
    Entry("scire_v2_3", "scire", 3, 3, _SCIRE, 1.05, _RD_3),
    Entry("scire_v1_2m", "scire", 2, 1, _SCIRE, 0.95, _RD),
    Entry("scire_v1_3m", "scire", 3, 1, _SCIRE, 0.95, _RD),
    Entry("scire_v2_2m", "scire", 2, 1, _SCIRE, 1.0, _RD),
    Entry("scire_v2_3m", "scire", 3, 1, _SCIRE, 0.95, _RD),
    Entry("scirei_2", "scire", 2, 2, _SCIRE, 1.0, _RD),
)
# fmt: on
TABLE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""Every training-free solver, by name."""


def find(name: object) -> Entry | None:
    """The entry of a name or of an alias; None where there is none."""
    if not isinstance(name, str):
        return None
    return TABLE.get(name) or next((e for e in _ENTRIES if name in e.aliases), None)


def names() -> list[str]:
    """All names and aliases."""
    return [name for e in TABLE.values() for name in (e.name, *e.aliases)]

"""Training-free solvers: each function returns a `Solver`, one paper per file.

`TABLE` lists them all with order, cost and source, and `construct` builds one by name.
Constructors are imported when they are first used (PEP 562), so that listing the
solvers is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bespoke_jax.solvers.registry import TABLE as TABLE
from bespoke_jax.solvers.registry import Entry as Entry

if TYPE_CHECKING:
    from bespoke_jax.solvers.adams import adams_bashforth as adams_bashforth
    from bespoke_jax.solvers.adams import adams_moulton as adams_moulton
    from bespoke_jax.solvers.by_name import construct as construct
    from bespoke_jax.solvers.deis import deis_rho_ab as deis_rho_ab
    from bespoke_jax.solvers.deis import deis_tab as deis_tab
    from bespoke_jax.solvers.dpm_solver import dpm_solver_2 as dpm_solver_2
    from bespoke_jax.solvers.dpm_solver import dpm_solver_2m as dpm_solver_2m
    from bespoke_jax.solvers.dpm_solver import dpm_solver_3 as dpm_solver_3
    from bespoke_jax.solvers.dpm_solver import dpm_solver_3m as dpm_solver_3m
    from bespoke_jax.solvers.dpm_solver import dpm_solver_fast as dpm_solver_fast
    from bespoke_jax.solvers.dpm_solver_pp import dpm_solver_pp_2m as dpm_solver_pp_2m
    from bespoke_jax.solvers.dpm_solver_pp import dpm_solver_pp_2s as dpm_solver_pp_2s
    from bespoke_jax.solvers.dpm_solver_pp import dpm_solver_pp_3m as dpm_solver_pp_3m
    from bespoke_jax.solvers.dpm_solver_pp import dpm_solver_pp_3s as dpm_solver_pp_3s
    from bespoke_jax.solvers.edm import edm_dpm_2 as edm_dpm_2
    from bespoke_jax.solvers.edm import edm_heun as edm_heun
    from bespoke_jax.solvers.first_order import ddim as ddim
    from bespoke_jax.solvers.first_order import dpm_solver_1 as dpm_solver_1
    from bespoke_jax.solvers.first_order import edm_euler as edm_euler
    from bespoke_jax.solvers.pndm import ipndm as ipndm
    from bespoke_jax.solvers.pndm import ipndm_v as ipndm_v
    from bespoke_jax.solvers.scire import recursive_difference as recursive_difference
    from bespoke_jax.solvers.scire import scire_v1_2 as scire_v1_2
    from bespoke_jax.solvers.scire import scire_v1_2m as scire_v1_2m
    from bespoke_jax.solvers.scire import scire_v1_3 as scire_v1_3
    from bespoke_jax.solvers.scire import scire_v1_3m as scire_v1_3m
    from bespoke_jax.solvers.scire import scire_v2_2 as scire_v2_2
    from bespoke_jax.solvers.scire import scire_v2_2m as scire_v2_2m
    from bespoke_jax.solvers.scire import scire_v2_3 as scire_v2_3
    from bespoke_jax.solvers.scire import scire_v2_3m as scire_v2_3m
    from bespoke_jax.solvers.scire import scirei_2 as scirei_2
    from bespoke_jax.solvers.tableaux import TABLEAUX as TABLEAUX
    from bespoke_jax.solvers.tableaux import Tableau as Tableau
    from bespoke_jax.solvers.tableaux import euler as euler
    from bespoke_jax.solvers.tableaux import heun as heun
    from bespoke_jax.solvers.tableaux import heun3 as heun3
    from bespoke_jax.solvers.tableaux import kutta3 as kutta3
    from bespoke_jax.solvers.tableaux import midpoint as midpoint
    from bespoke_jax.solvers.tableaux import ralston as ralston
    from bespoke_jax.solvers.tableaux import rk4 as rk4
    from bespoke_jax.solvers.tableaux import runge_kutta as runge_kutta
    from bespoke_jax.solvers.tableaux import tableau as tableau
    from bespoke_jax.solvers.uni_pc import unipc as unipc

_HOMES = {
    "construct": "by_name",
    "recursive_difference": "scire",
    **dict.fromkeys(("TABLEAUX", "Tableau", "runge_kutta", "tableau"), "tableaux"),
    **{entry.name: entry.module for entry in TABLE.values()},
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(["TABLE", "Entry", *_HOMES])

"""The multistep SciRE-Solvers: one evaluation a step, differences of past predictions.

Li, Chen and Zeng, 2023, arXiv 2308.07896. The paper gives no multistep algorithm: these
are the forms of its authors' program, whose weights changed several times. Arguments
as described in `bespoke_jax.solvers.scire`; there too, what `phi` does to the order.
"""

from typing import Any

from bespoke_jax.core.solver import Solver
from bespoke_jax.core.types import Count, Number
from bespoke_jax.solvers import _scire
from bespoke_jax.solvers._scire import V1, V2
from bespoke_jax.solvers._steps import Layout


def scire_v1_2m(
    schedule: Any,
    *,
    nfe: Count,
    phi: str | float | int = "rd",
    variant: str = "official",
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    lower_order_final: bool = True,
    denoise: bool = False,
) -> Solver:
    """SciRE-V1-2m, two-step: one evaluation a step, y = x / alpha.

    variant="official": y_t = y + h eps_0 + h / (2 phi r^(1/4)) (eps_0 - eps_-1) with
    r = log(tau_-1 / tau_0) / log(tau_0 / tau_t), the authors' program of 2024;
    "iclr": h^2 / (2 phi^2 h_0) as the weight, that of October 2023. Order 1 for phi
    other than 1, else 2.

    The first steps use the predictions there are; with lower_order_final the last ones
    are of order at most nfe - i. Other arguments as in `bespoke_jax.solvers.scire`.
    """
    return _scire.multistep(
        V1,
        2,
        Layout(schedule, grid, start, end, k),
        nfe=nfe,
        phi=phi,
        variant=variant,
        lower_order_final=lower_order_final,
        denoise=denoise,
    )


def scire_v1_3m(
    schedule: Any,
    *,
    nfe: Count,
    phi: str | float | int = "rd",
    variant: str = "official",
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    lower_order_final: bool = True,
    denoise: bool = False,
) -> Solver:
    """SciRE-V1-3m, three-step: one evaluation a step.

    y_t = y + h eps_0 + h / (2 r_0 phi) D_1 + h / (6 r_0 r_1 phi^2) D_2, with the
    first and second differences D_k, r_0 = phi h_0 / h and
    r_1 = phi / (1 + phi) h_1 / h_0. Order 1 for phi other than 1, and only 2 for
    phi="fd". `variant` is that of its two-step steps.

    The first steps use the predictions there are; with lower_order_final the last ones
    are of order at most nfe - i. Other arguments as in `bespoke_jax.solvers.scire`.
    """
    return _scire.multistep(
        V1,
        3,
        Layout(schedule, grid, start, end, k),
        nfe=nfe,
        phi=phi,
        variant=variant,
        lower_order_final=lower_order_final,
        denoise=denoise,
    )


def scire_v2_2m(
    schedule: Any,
    *,
    nfe: Count,
    phi: str | float | int = "rd",
    variant: str = "official",
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    lower_order_final: bool = True,
    denoise: bool = False,
) -> Solver:
    """SciRE-V2-2m: V1-2m on the data prediction, its step ratios still in tau.

    Order 1 for phi other than 1, else 2.

    The first steps use the predictions there are; with lower_order_final the last ones
    are of order at most nfe - i. Other arguments as in `bespoke_jax.solvers.scire`.
    """
    return _scire.multistep(
        V2,
        2,
        Layout(schedule, grid, start, end, k),
        nfe=nfe,
        phi=phi,
        variant=variant,
        lower_order_final=lower_order_final,
        denoise=denoise,
    )


def scire_v2_3m(
    schedule: Any,
    *,
    nfe: Count,
    phi: str | float | int = "rd",
    variant: str = "official",
    grid: Any = "nsr",
    k: Number = 3.1,
    start: Number = 0.0,
    end: Number = 1 - 1e-3,
    lower_order_final: bool = True,
    denoise: bool = False,
) -> Solver:
    """SciRE-V2-3m: V1-3m on the data prediction, its step ratios still in tau.

    Order 1 for phi other than 1, else 2.

    The first steps use the predictions there are; with lower_order_final the last ones
    are of order at most nfe - i. Other arguments as in `bespoke_jax.solvers.scire`.
    """
    return _scire.multistep(
        V2,
        3,
        Layout(schedule, grid, start, end, k),
        nfe=nfe,
        phi=phi,
        variant=variant,
        lower_order_final=lower_order_final,
        denoise=denoise,
    )

"""Which solver here stands beside which sampler of another program, and why.

No program is needed to read this file: it holds names, options, our solvers and the
reason for each pair. Every sampler is repeated on the straight path (CondOT) at the
program's own noise levels: these methods do not change under a change of schedule, so
one field and one set of times serve for all of them. `peers` measures the pairs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import bespoke_jax as bj

COND_OT = bj.schedules.CondOT()

# torchdiffeq's rule of order 4.
THREE_EIGHTHS = bj.solvers.tableau(
    [[1 / 3], [-1 / 3, 1], [1, -1, 1]], [1 / 8, 3 / 8, 3 / 8, 1 / 8], order=4
)

Solvers = tuple[bj.Solver, ...]
Build = Callable[[np.ndarray, int], Solvers]


class Pair(NamedTuple):
    """One sampler of a program beside one or two solvers here, run in a row."""

    program: str
    sampler: str
    """Its class or method there."""
    options: dict[str, Any]
    ours: str
    """What ours is called on the page."""
    build: Build
    """From the CondOT times of the program's levels, and the NFE that it spent."""
    same: bool
    """Whether it is the same method, so that the samples must agree."""
    why: str
    """Why they agree, or why not."""
    steps: Callable[[int], int] = lambda nfe: nfe
    """The steps to ask the program for, so that it spends at most an NFE."""

    @property
    def theirs(self) -> str:
        """What the page calls the program's sampler."""
        sampler = self.sampler.removesuffix("Scheduler").removesuffix("Sampler")
        words = [f"{k}={v}" for k, v in self.options.items()]
        return f"{self.program} {sampler}" + (f" ({', '.join(words)})" if words else "")

    @property
    def name(self) -> str:
        """Unique: the pair's name in the results."""
        return f"{self.theirs} / {self.ours}"


def one(name: str, *, lower_below: int | None = None, **options: Any) -> Build:
    """A solver of the library; its last step of lower order below some steps."""

    def build(times, nfe):
        more = {} if lower_below is None else {"lower_order_final": nfe < lower_below}
        constructor = getattr(bj.solvers, name)
        return (constructor(COND_OT, nfe=nfe, grid=times, **more, **options),)

    return build


def rule(tableau: Any) -> Build:
    """A Runge-Kutta rule, a step between each two times."""

    def build(times, nfe):
        steps, end = len(times) - 1, float(times[-1])
        return (bj.solvers.runge_kutta(tableau, steps=steps, grid=times, end=end),)

    return build


def heun_then_euler(times: np.ndarray, nfe: int) -> Solvers:
    heun = rule(bj.solvers.TABLEAUX["heun"])(times[:-1], nfe - 1)
    return heun + rule(bj.solvers.TABLEAUX["euler"])(times[-2:], 1)


def pairs_then_ddim(times: np.ndarray, nfe: int) -> Solvers:
    """Steps of order 2 whose stages are levels too, then two of order 1."""
    pairs = one("dpm_solver_pp_2s", r1="inner")(times[:-2], nfe - 2)
    return pairs + one("ddim")(times[-3:], 2)


def without_the_last(times: np.ndarray, nfe: int) -> Solvers:
    """An evaluation for each step that has a length, and no other."""
    return one("deis_tab", order=2, variant="log_snr")(times, len(times) - 1)


half = lambda nfe: nfe // 2
quarter = lambda nfe: nfe // 4
odd = lambda nfe: (nfe + 1) // 2  # steps of two evaluations, but one in the last

_DDIM = "The DDIM step is Euler's in sigma / alpha on every schedule."
_LEVELS = "The same formula at the program's own levels."
_FINAL = (
    "The same formula; a last step to sigma = 0 is of first order in both, and below "
    "15 steps so is any last one."
)
_RK = "The same rule on the same uniform steps in t."
_AB = "The same interpolation through past values, integrated exactly in both."


def _diffusers(sampler, options, ours, build, same, why, steps=lambda nfe: nfe):
    return Pair("diffusers", sampler, options, ours, build, same, why, steps)


DIFFUSERS = (
    _diffusers(
        "DDIMScheduler", {"timestep_spacing": "trailing", "clip_sample": False},
        "ddim", one("ddim"), True, _DDIM,
    ),
    _diffusers(
        "DDIMScheduler", {"timestep_spacing": "linspace", "clip_sample": False},
        "ddim", one("ddim"), False,
        "It steps by 1000 // n timesteps, which is not where linspace puts its next "
        "evaluation; ours steps to the level at which the next evaluation is.",
    ),
    _diffusers(
        "DPMSolverMultistepScheduler", {}, "dpm_solver_pp_2m",
        one("dpm_solver_pp_2m", lower_below=15), True, _FINAL,
    ),
    _diffusers(
        "DPMSolverMultistepScheduler", {"use_karras_sigmas": True}, "dpm_solver_pp_2m",
        one("dpm_solver_pp_2m", lower_below=15), True, _FINAL,
    ),
    _diffusers(
        "DPMSolverMultistepScheduler", {"solver_order": 3}, "dpm_solver_pp_3m",
        one("dpm_solver_pp_3m", lower_below=15), True, _FINAL,
    ),
    _diffusers(
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"},
        "dpm_solver_2m", one("dpm_solver_2m", lower_below=15), True, _FINAL,
    ),
    _diffusers(
        "DPMSolverSinglestepScheduler", {"lower_order_final": True},
        "dpm_solver_pp_2s, then ddim twice", pairs_then_ddim, True,
        "Its steps of order 2 have a level as their stage, and its last two are of "
        "order 1: two solvers here, one after the other.",
    ),
    _diffusers(
        "DPMSolverSinglestepScheduler",
        {"solver_order": 3, "lower_order_final": True,
         "final_sigmas_type": "sigma_min"}, "dpm_solver_pp_3s",
        one("dpm_solver_pp_3s", mode="agile", r1="inner"), False,
        "Its second stage is a step of order 2 through the first; the paper's, ours, "
        "is another formula. Levels and orders of the steps are the same.",
    ),
    _diffusers(
        "UniPCMultistepScheduler", {}, "unipc, order 2",
        one("unipc", order=2, lower_order_final=True), True, _LEVELS,
    ),
    _diffusers(
        "UniPCMultistepScheduler", {"solver_order": 3}, "unipc, order 3",
        one("unipc", order=3, lower_order_final=True), True, _LEVELS,
    ),
    _diffusers(
        "DEISMultistepScheduler", {}, "deis_tab in log-SNR, order 1",
        one("deis_tab", order=1, variant="log_snr", lower_below=15), True,
        "Its order counts points, ours the degree through them: 2 there is 1 here.",
    ),
    _diffusers(
        "DEISMultistepScheduler", {"solver_order": 3}, "deis_tab in log-SNR, order 2",
        one("deis_tab", order=2, variant="log_snr", lower_below=15), True,
        "Its order counts points, ours the degree through them: 3 there is 2 here. Its "
        "coefficients are differences of close float32 numbers, ours are float64.",
    ),
    _diffusers(
        "DEISMultistepScheduler", {"solver_order": 3, "use_karras_sigmas": True},
        "deis_tab in log-SNR, order 2",
        without_the_last,
        False,
        "With Karras levels it lists the last one twice and spends an evaluation on a "
        "step of no length, which ours leaves out. Below 15 steps it also lowers the "
        "order of the step before; with more, only that evaluation differs.",
    ),
    _diffusers(
        "EulerDiscreteScheduler", {}, "edm_euler", one("edm_euler"), True, _LEVELS
    ),
    _diffusers(
        "HeunDiscreteScheduler", {}, "edm_heun", one("edm_heun"), True, _LEVELS, odd
    ),
    _diffusers(
        "LMSDiscreteScheduler", {}, "ipndm_v, order 4", one("ipndm_v", order=4), True,
        "Adams-Bashforth of order 4 with variable steps in both; its integrals are "
        "numerical, ours exact.",
    ),
    _diffusers(
        "FlowMatchEulerDiscreteScheduler", {}, "euler",
        rule(bj.solvers.TABLEAUX["euler"]), True, _LEVELS,
    ),
    _diffusers(
        "FlowMatchHeunDiscreteScheduler", {}, "heun, then euler", heun_then_euler,
        True, "Its last step is Euler's: two solvers here, one after the other.", odd,
    ),
)  # fmt: skip


def _rules(program: str) -> tuple[Pair, ...]:
    known = bj.solvers.TABLEAUX
    rk = lambda name, ours, tableau, same, why, steps: Pair(
        program, name, {}, ours, rule(tableau), same, why, steps
    )
    return (
        rk("euler", "euler", known["euler"], True, _RK, lambda nfe: nfe),
        rk("midpoint", "midpoint", known["midpoint"], True, _RK, half),
        rk("heun2", "heun", known["heun"], True, _RK, half),
        rk("rk4", "runge_kutta of the 3/8 tableau", THREE_EIGHTHS, True,
           "torchdiffeq's rk4 is the 3/8 rule: its tableau is given to ours.", quarter),
        Pair(
            program, "rk4", {}, "rk4", rule(known["rk4"]), False,
            "torchdiffeq's rk4 is the 3/8 rule, ours the classical one: both of order "
            "4.", quarter,
        ),
    )  # fmt: skip


def _azula(sampler, options, ours, build, same, why, steps=lambda nfe: nfe):
    return Pair("azula", sampler, options, ours, build, same, why, steps)


AZULA = (
    _azula("DDIMSampler", {}, "ddim", one("ddim"), True, _DDIM),
    _azula("EulerSampler", {}, "edm_euler", one("edm_euler"), True, _DDIM),
    _azula("HeunSampler", {}, "edm_heun", one("edm_heun"), True, _LEVELS, half),
    _azula(
        "zABSampler", {"order": 3}, "ipndm_v, order 3", one("ipndm_v", order=3), True,
        _AB,
    ),
    _azula(
        "vABSampler", {"order": 3}, "adams_bashforth, order 3",
        one("adams_bashforth", order=3), True, _AB,
    ),
    _azula(
        "zEABSampler", {"order": 2}, "dpm_solver_2m, exact",
        one("dpm_solver_2m", variant="exact", lower_order_final=False), True, _AB,
    ),
    _azula(
        "xEABSampler", {"order": 2}, "dpm_solver_pp_2m, exact",
        one("dpm_solver_pp_2m", variant="exact", lower_order_final=False), True, _AB,
    ),
    _azula(
        "xEABSampler", {"order": 3}, "dpm_solver_pp_3m, exact",
        one("dpm_solver_pp_3m", variant="exact", lower_order_final=False), True, _AB,
    ),
    _azula(
        "REABSampler", {"order": 2}, "dpm_solver_pp_2m, exact",
        one("dpm_solver_pp_2m", variant="exact", lower_order_final=False), False,
        "Ours has no such method: beside it stands the two-step one in the same "
        "variable. Its step scales the integral by sqrt(alpha_s^2 + sigma_t^2), where "
        "its own formula has sigma_s.",
    ),
)  # fmt: skip

PAIRS = DIFFUSERS + _rules("torchdiffeq") + _rules("flow_matching") + AZULA
assert len({pair.name for pair in PAIRS}) == len(PAIRS)

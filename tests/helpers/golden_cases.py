"""Which solver of the library each recorded run of a public program is.

`case(entry)` answers a `Case`, or a reason why the entry has none. Runs of VP programs
in their time tau are repeated on `VP` at t = 1 - tau, runs in sigma that end above 0 on
`EDM`; every other one on `CondOT` at equal sigma / alpha, since all those solvers are
invariant under a change of schedule (x / (alpha + sigma) is the point there).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import bespoke_jax as bj
from bespoke_jax import solvers

COND_OT = bj.schedules.CondOT()
VP = bj.schedules.VP()
DISCRETE = bj.schedules.DiscreteVP(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))

# torchdiffeq's rk4.
THREE_EIGHTHS = solvers.tableau(
    [[1 / 3], [-1 / 3, 1], [1, -1, 1]], [1 / 8, 3 / 8, 3 / 8, 1 / 8], order=4
)


class Case(NamedTuple):
    """Solvers of the library to run one after the other, and what comes out."""

    schedule: Any
    solvers: tuple[bj.Solver, ...]
    start: float = 1.0
    """Factor of the program's initial points."""
    end: float = 1.0
    """Factor of the program's result."""
    final: str = "x_final"


def levels_of(entry: dict) -> np.ndarray:
    """sigma / alpha at the nodes, without the data point of a denoising program."""
    alpha, sigma = (np.array(entry[key]) for key in ("nodes_alpha", "nodes_sigma"))
    with np.errstate(divide="ignore"):
        return (sigma / alpha)[: len(entry["nodes"])]


def on_path(
    entry: dict, constructor: Callable, *, times: Any = None, **options: Any
) -> Case:
    """The run at the entry's own nodes."""
    if entry["node_variable"] == "tau":
        times = 1 - np.array(entry["nodes"]) if times is None else times
        times[0] = 0.0  # the program's 1 is 1 - 2e-16
        return Case(VP, (constructor(VP, grid=times, **options),))
    levels = levels_of(entry)
    if entry["family"] == "ve" and levels[-1] > 0:
        edm = bj.schedules.EDM(float(levels[-1]), float(levels[0]))
        times = edm.time_at_nsr(levels)
        return Case(edm, (constructor(edm, grid=times, **options),))
    return on_cond_ot(entry, (constructor, levels, options))


def on_cond_ot(entry: dict, *parts: tuple[Callable, np.ndarray, dict]) -> Case:
    """Runs one after the other, each of a constructor at its own levels."""
    tables = [
        constructor(COND_OT, grid=1 / (1 + levels), **options)
        for constructor, levels, options in parts
    ]
    first, last = (
        1 / (entry["nodes_alpha"][i] + entry["nodes_sigma"][i]) for i in (0, -1)
    )
    return Case(COND_OT, tuple(tables), first, last)


def dpm_solver(entry):
    p = entry["params"]
    options: dict = {"denoise": p.get("denoise_to_zero", False)}
    if p["order"] > 1:
        options["variant"] = p.get("solver_type", "dpmsolver")
    data = p["algorithm_type"] == "dpmsolver++"
    if p["order"] == 1:
        return on_path(entry, solvers.dpm_solver_1, nfe=p["nfe_asked"], **options)
    options["nfe"] = p["nfe_asked"]
    if p["method"] == "multistep":
        name = f"dpm_solver_{'pp_' * data}{p['order']}m"
        # The program ignores the flag from 10 steps on.
        options["lower_order_final"] = p["lower_order_final"] and p["nfe_asked"] < 10
        return on_path(entry, getattr(solvers, name), **options)
    agile = p["method"] == "singlestep"
    if data:
        constructor = getattr(solvers, f"dpm_solver_pp_{p['order']}s")
        options["mode"] = "agile" if agile else "fixed"
    elif agile:
        constructor, options["order"] = solvers.dpm_solver_fast, p["order"]
    else:
        constructor = getattr(solvers, f"dpm_solver_{p['order']}")
    if p["skip_type"] == "logSNR":
        return on_path(entry, constructor, **options)
    # Elsewhere than in log-SNR the stages lie where the grid has them: all the calls,
    # and the end, are an explicit grid.
    calls = np.array(entry["model_call_times"])[: p["nfe_asked"]]
    times = 1 - np.append(calls, entry["nodes"][-1])
    return on_path(entry, constructor, times=times, r1="inner", **options)


def dpm_solver_discrete(entry):
    p = entry["params"]
    pp = "pp_" * (p["algorithm_type"] == "dpmsolver++")
    if p["method"] == "multistep":
        constructor = getattr(solvers, f"dpm_solver_{pp}{p['order']}m")
        more = {"lower_order_final": p["lower_order_final"]}
    else:
        constructor, more = getattr(solvers, f"dpm_solver_{p['order']}"), {}
    return _discrete(entry, constructor, **more)


def _discrete(entry, constructor, **options):
    alpha, sigma = (np.array(entry[key]) for key in ("nodes_alpha", "nodes_sigma"))
    times = DISCRETE.time_at_nsr(sigma / alpha)
    nfe = entry["params"]["nfe_asked"]
    return Case(DISCRETE, (constructor(DISCRETE, nfe=nfe, grid=times, **options),))


def unipc(entry):
    p = entry["params"]
    if p["variant"] == "vary_coeff":
        return "program fault: its corrector is of order 1 (solvers/test_unipc.py)"
    return on_path(
        entry,
        solvers.unipc,
        nfe=p["nfe_asked"],
        order=p["order"],
        variant=p["variant"],
        prediction=p["algorithm_type"].split("_")[0],
        lower_order_final=p["lower_order_final"],
    )


def scire(entry):
    p = entry["params"]
    options: dict = {"nfe": p["nfe_asked"], "denoise": p.get("denoise_to_zero", False)}
    if p["order"] == 1:
        return on_path(entry, solvers.ddim, **options)
    name = f"{p['algorithm_type']}_{p['order']}"
    options["phi"] = "official"
    if p["method"] == "multistep":
        options["lower_order_final"] = p["lower_order_final"]
        return on_path(entry, getattr(solvers, name + "m"), **options)
    options["mode"] = p["method"].removeprefix("singlestep_")
    return on_path(entry, getattr(solvers, name), **options)


def scire_discrete(entry):
    p = entry["params"]
    name = f"{p['algorithm_type']}_{p['order']}"
    if p["method"] == "multistep":
        return _discrete(entry, getattr(solvers, name + "m"), phi="official")
    # Stages where an NSR grid on the step has them, the named grid of the program.
    solver = getattr(solvers, name)(
        DISCRETE, nfe=p["nfe_asked"], phi="official", r1="inner", end=1 - p["t_end"]
    )
    return Case(DISCRETE, (solver,))


def deis(entry):
    p = entry["params"]
    if p["method"] == "rho_rk":
        if p["rk_method"] == "2heun":
            return on_path(entry, solvers.edm_heun, nfe=p["nfe_asked"])
        if p["rk_method"] == "3heun":
            options = {"nfe": p["nfe_asked"], "phi": "fd", "stage": "taylor"}
            return on_path(entry, solvers.scire_v1_3, **options)
        return "Kutta's rules of order 3 and 4 in sigma / alpha are not offered"
    if p["method"] == "ipndm":
        return on_path(entry, solvers.ipndm, nfe=p["num_step"], order=4)
    tab = p["method"] == "t_ab"
    constructor = solvers.deis_tab if tab else solvers.deis_rho_ab
    case = on_path(entry, constructor, nfe=p["num_step"], order=p["ab_order"])
    # The program's own integrals are Riemann sums: up to 4e-3 away in the sample.
    return case._replace(final="final_with_exact_integrals")


def diff_sampler(entry):
    p = entry["params"]
    name, nfe = p["sampler"].removesuffix("_sampler"), p["nfe_counted"]
    if p.get("afs"):
        return "its first direction is analytic (afs), not an evaluation"
    if name == "ipndm_v" and p["max_order"] > 2:
        return "program fault: misplaced bracket in the weights of order 3"
    if name == "deis" and p["deis_mode"] == "tab":
        return "program fault: its integrals are sums over 10,000 points (1e-4)"
    if name == "euler":
        denoise = p.get("denoise_to_zero", False)
        return on_path(entry, solvers.edm_euler, nfe=nfe - denoise, denoise=denoise)
    if name == "heun":
        return on_path(entry, solvers.edm_heun, nfe=nfe)
    if name == "dpm_2":
        return on_path(entry, solvers.edm_dpm_2, nfe=nfe, r1=p.get("r", 0.5))
    if name in ("ipndm", "ipndm_v"):
        return on_path(entry, getattr(solvers, name), nfe=nfe, order=p["max_order"])
    if name == "deis":
        return on_path(entry, solvers.deis_rho_ab, nfe=nfe, order=p["max_order"] - 1)
    final = p["lower_order_final"]
    if name == "dpm_pp":
        constructor = getattr(solvers, f"dpm_solver_{p['max_order']}m")
        return on_path(entry, constructor, nfe=nfe, lower_order_final=final)
    return on_path(
        entry,
        solvers.unipc,
        nfe=nfe,
        order=p["max_order"],
        variant=p["variant"],
        prediction="noise",
        lower_order_final=final,
    )


def k_diffusion(entry):
    p = entry["params"]
    name, nfe = p["sampler"].removeprefix("sample_"), p["nfe_counted"]
    if name == "lms":
        return on_path(entry, solvers.ipndm_v, nfe=nfe, order=p.get("order", 4))
    if name.startswith("dpmpp_2s"):
        return on_path(entry, solvers.dpm_solver_pp_2s, nfe=nfe, mode="agile")
    if name.startswith("dpmpp"):
        taylor = name == "dpmpp_3m_sde" or p.get("solver_type") == "heun"
        constructor = getattr(solvers, f"dpm_solver_pp_{name[6:8]}")
        variant = "taylor" if taylor else "dpmsolver"
        # Only a last step to sigma = 0 is of first order.
        return on_path(
            entry, constructor, nfe=nfe, variant=variant, lower_order_final=False
        )
    return on_path(entry, getattr(solvers, "edm_" + name), nfe=nfe)


def diffusers(entry):
    p = entry["params"]
    name, nfe = p["scheduler"], p["num_inference_steps"]
    order, variant = p.get("solver_order"), p.get("solver_type", "midpoint")
    levels = levels_of(entry)
    if name == "DDIMScheduler":
        stepped = np.array(entry["extra"]["stepped_to_alpha"])
        if not np.allclose(stepped, entry["nodes_alpha"][1:]):
            return "program fault: steps to levels at which it does not evaluate"
        return on_path(entry, solvers.ddim, nfe=nfe)
    if name == "FlowMatchEulerDiscreteScheduler":
        return on_path(entry, solvers.ddim, nfe=nfe)
    if name == "EulerDiscreteScheduler":
        return on_path(entry, solvers.edm_euler, nfe=nfe)
    if name == "HeunDiscreteScheduler":
        return on_path(entry, solvers.edm_heun, nfe=p["nfe_counted"])
    if name == "LMSDiscreteScheduler":
        return on_path(entry, solvers.ipndm_v, nfe=nfe, order=4)
    if name == "FlowMatchHeunDiscreteScheduler":
        heun = (solvers.heun, levels[:-1], {"steps": nfe - 1})
        return on_cond_ot(entry, heun, (solvers.euler, levels[-2:], {"steps": 1}))
    final = p.get("lower_order_final", True)
    if np.isclose(levels[-1], levels[-2], rtol=1e-9):
        # A last step of no length changes nothing, but counts as the one of first
        # order: there is one step less, and it keeps its order.
        if order == 3:
            return "program fault: a last step of no length, after one of order 2"
        levels, nfe, final = levels[:-1], nfe - 1, False
    if name == "DEISMultistepScheduler":
        options = {"nfe": nfe, "order": order - 1, "variant": "log_snr"}
        options["lower_order_final"] = final
        return on_cond_ot(entry, (solvers.deis_tab, levels, options))
    if name == "UniPCMultistepScheduler":
        return on_path(
            entry,
            solvers.unipc,
            nfe=nfe,
            order=order,
            variant=variant if variant in ("bh1", "bh2") else "bh2",
            prediction="data" if p.get("predict_x0", True) else "noise",
            lower_order_final=final,
        )
    data = "pp_" * (p.get("algorithm_type", "dpmsolver++") == "dpmsolver++")
    taylor = "taylor" if variant == "heun" else "dpmsolver"
    if name == "DPMSolverMultistepScheduler":
        if order == 1:
            return on_path(entry, solvers.ddim, nfe=nfe)
        # The program ignores the flag from 15 steps on, unless it ends at sigma = 0.
        options = {"nfe": nfe, "variant": taylor}
        options["lower_order_final"] = final and nfe < 15
        constructor = getattr(solvers, f"dpm_solver_{data}{order}m")
        return on_cond_ot(entry, (constructor, levels, options))
    if order == 3:
        return "its second stage is a two-step point, not that of the paper"
    # Steps of order 2, 2, 2 and two of order 1, whose stages are nodes too.
    options = {"nfe": nfe - 2, "variant": taylor, "r1": "inner"}
    pairs = (solvers.dpm_solver_pp_2s, levels[:-2], options)
    return on_cond_ot(entry, pairs, (solvers.ddim, levels[-3:], {"nfe": 2}))


def azula(entry):
    p = entry["params"]
    name, nfe, order = p["sampler"], p["nfe_counted"], p.get("order")
    if name == "DDIMSampler":
        return on_path(entry, solvers.ddim, nfe=nfe)
    if name == "zABSampler":
        return on_path(entry, solvers.ipndm_v, nfe=nfe, order=order)
    if name in ("xEABSampler", "zEABSampler"):
        pp = "pp_" * name.startswith("x")
        constructor = getattr(solvers, f"dpm_solver_{pp}{order}m")
        options = {"nfe": nfe, "variant": "exact", "lower_order_final": False}
        return on_path(entry, constructor, **options)
    if name == "EulerSampler":
        return on_path(entry, solvers.edm_euler, nfe=nfe)
    if name == "HeunSampler":
        return on_path(entry, solvers.edm_heun, nfe=nfe)
    if name == "vABSampler":
        levels = levels_of(entry)
        return on_cond_ot(
            entry, (solvers.adams_bashforth, levels, {"nfe": nfe, "order": order})
        )
    return "program fault: REAB of order 2 converges with order 1"


def flow_matching(entry):
    p = entry["params"]
    schedule = {"VP": VP, "Cosine": bj.schedules.Cosine()}.get(p.get("new"), COND_OT)
    times = np.array(entry["nodes"])
    options = {"steps": p["steps"], "grid": times, "end": times[-1]}
    if p["method"] == "rk4":
        return Case(schedule, (solvers.runge_kutta(THREE_EIGHTHS, **options),))
    name = "heun" if p["method"] == "heun2" else p["method"]
    return Case(schedule, (getattr(solvers, name)(**options),))


_FLOW = "facebookresearch/flow_matching ODESolver"
PROGRAMS = {
    ("LuChengTHU/dpm-solver (dpm_solver_pytorch.py)", "vp"): dpm_solver,
    ("LuChengTHU/dpm-solver (dpm_solver_pytorch.py)", "vp_discrete"): (
        dpm_solver_discrete
    ),
    ("wl-zhao/UniPC (uni_pc.py)", "vp"): unipc,
    ("ShiguiLi/SciRE-Solver (scire_solver.py)", "vp"): scire,
    ("ShiguiLi/SciRE-Solver (scire_solver.py)", "vp_discrete"): scire_discrete,
    ("qsh-zh/deis (jax_deis)", "vp"): deis,
    ("zju-pi/diff-sampler (diff-solvers-main/solvers.py)", "ve"): diff_sampler,
    ("crowsonkb/k-diffusion (sampling.py)", "ve"): k_diffusion,
    ("huggingface/diffusers", "vp"): diffusers,
    ("huggingface/diffusers", "ve"): diffusers,
    ("huggingface/diffusers", "fm"): diffusers,
    ("probabilists/azula", "ve"): azula,
    (f"{_FLOW} (torchdiffeq 0.2.5)", "fm"): flow_matching,
    (f"{_FLOW} on ScheduleTransformedModel", "fm"): flow_matching,
}
ELSEWHERE = {
    "schedule_change": "changes of schedule: fields/test_fields_transforms.py",
    "heidelberg-hepml/calo_dreamer (bespoke_solvers.py)": (
        "learned families: families/test_scale_time.py and fitting/test_losses.py"
    ),
}


def case(entry: dict) -> Case | str:
    key = (entry["program"], entry["family"])
    if key in PROGRAMS:
        return PROGRAMS[key](entry)
    return ELSEWHERE[key[1] if key[1] in ELSEWHERE else key[0]]

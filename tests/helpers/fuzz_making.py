"""Fields, schedules, grids and solvers with good arguments, for `fuzz_calls`."""

import jax
import jax.numpy as jnp
from fuzz_arguments import (
    DDPM,
    END,
    ENDS,
    MODEL_FIELDS,
    VP,
    field,
    model_of,
    module,
    paths,
    x0,
)

import bespoke_jax as bj

FIELDS_OF = (
    "guide", "guide.interval", "compose", "from_prediction", "threshold", "reverse",
    "change_schedule", "data_prediction", "noise_prediction", "switch",
    "fields.scale_time", "from_diffrax", "from_flax", "mixture_field",
)  # fmt: skip
"""What makes fields: these are sampled from."""


def making_fields() -> dict:
    fields, key = bj.fields, jax.random.key(0)
    return {
        "from_prediction": (
            fields.from_prediction,
            dict(network=field, schedule=VP, kind="noise", time="t", sigma_data=0.5),
        ),
        "guide": (
            fields.guide, dict(conditional=field, unconditional=field, weight=2.0)
        ),
        "guide.interval": (
            fields.guide,
            dict(conditional=field, weak=field, weight=2.0, interval=(0.2, 0.8),
                 rescale=0.7, schedule=VP, null=None),
        ),
        "compose": (
            fields.compose,
            dict(field=field, nulls=[jnp.zeros(2)], weights=[1.0], interval=(0.1, 1.0),
                 rescale=0.5, schedule=VP),
        ),
        "mixture_field": (
            fields.mixture_field,
            dict(schedule=VP, mixture=fields.random_mixture(0)),
        ),
        "random_mixture": (
            fields.random_mixture, dict(seed=0, dim=2, modes=3, std=0.3)
        ),
        "switch": (fields.switch, dict(early=field, late=field, boundary=0.5)),
        "reverse": (fields.reverse, dict(field=field)),
        "fields.scale_time": (
            fields.scale_time,
            dict(field=field, scale=lambda r: 1 + r, time=lambda r: r),
        ),
        "from_diffrax": (
            fields.from_diffrax, dict(vf=lambda t, y, args: -y, args=None)
        ),
        "as_field": (fields.as_field, dict(f=field)),
        "check_end": (fields.check_end, dict(field=field, end=0.9)),
        "warn_direction": (
            fields.warn_direction,
            dict(field=field, x0=x0(), c=None, start=0.0, end=0.9),
        ),
        "warn_spread": (fields.warn_spread, dict(x0=x0(), schedule=VP, start=0.0)),
        "schedule_of": (fields.schedule_of, dict(field=field)),
        "jumps_of": (fields.jumps_of, dict(field=field)),
        "noise_prediction": (fields.noise_prediction, dict(field=field, schedule=VP)),
        "threshold": (
            fields.threshold,
            dict(field=field, schedule=VP, quantile=0.9, maximum=1.0),
        ),
        "change_schedule": (
            fields.change_schedule,
            dict(field=field, old=VP, new=bj.schedules.CondOT()),
        ),
        "data_prediction": (fields.data_prediction, dict(field=field, schedule=VP)),
        "from_flax": (
            fields.from_flax,
            dict(module=module()[0], variables=module()[1], order="xt"),
        ),
        "noise": (
            bj.model.noise, dict(model=bj.Model(field, (2,)), key=key, n=3)
        ),
        "Model": (model_of, MODEL_FIELDS),
        "demo.load": (bj.demo.load, dict(name="fm_ot")),
        "demo.network": (bj.demo.network, dict(name="fm_ot")),
    }  # fmt: skip


def schedules_and_grids() -> dict:
    grids = bj.grids
    return {
        "VP": (bj.schedules.VP, dict(beta_min=0.1, beta_max=20.0)),
        "EDM": (bj.schedules.EDM, dict(sigma_min=0.01, sigma_max=10.0, rho=7.0)),
        "CosineVP": (bj.schedules.CosineVP, dict(s=0.01)),
        "Scaled": (bj.schedules.Scaled, dict(base=VP, sigma_0=2.0)),
        "DiscreteVP": (bj.schedules.DiscreteVP, dict(alphas_bar=(0.9, 0.5, 0.1))),
        "Shifted": (bj.schedules.Shifted, dict(base=VP, shift=2.0)),
        "LogSNR": (bj.schedules.LogSNR, dict(gamma=lambda t: 10 * (0.5 - t))),
        "schedules.check": (bj.schedules.check, dict(schedule=VP, rtol=1e-5)),
        "joints": (bj.schedules.joints, dict(schedule=VP)),
        "to_dict": (bj.schedules.to_dict, dict(schedule=VP)),
        "from_dict": (
            bj.schedules.from_dict, dict(record=bj.schedules.to_dict(VP))
        ),
        "DiscreteVP.time": (DDPM.time, dict(step=1)),
        "resolve": (grids.resolve, dict(grid="uniform", n=3, schedule=VP, **ENDS)),
        "explicit": (grids.explicit, dict(times=[0.0, 0.5, 1.0])),
        "uniform": (grids.uniform, dict(n=3, **ENDS)),
        "quadratic": (grids.quadratic, dict(n=3, **ENDS)),
        "sigmoid": (grids.sigmoid, dict(n=3, slope=3.0, **ENDS)),
        "log_snr": (grids.log_snr, dict(n=3, schedule=VP, **ENDS)),
        "nsr": (grids.nsr, dict(n=3, schedule=VP, k=3.1, **ENDS)),
        "edm": (grids.edm, dict(n=3, schedule=VP, rho=7.0, **ENDS)),
        "shift": (grids.shift, dict(n=3, shift=3.0, start=0.1, **ENDS)),
        "shift_of": (
            grids.shift_of,
            dict(image_tokens=300, base=(256, 0.5), max=(4096, 1.15)),
        ),
        "from_sigmas": (
            grids.from_sigmas,
            dict(sigmas=[1.0, 0.5, 0.1], schedule=bj.schedules.CondOT()),
        ),
        "from_timesteps": (
            grids.from_timesteps,
            dict(timesteps=[2, 1, 0], levels=3, scale=None, end=1.0),
        ),
        "profile": (
            grids.profile, dict(paths=paths(), kind="rotation", power=1.0)
        ),
        "profile.grid": (grids.profile(paths()).grid, dict(nfe=3)),
        "profile.call": (grids.profile(paths()), dict(n=3, end=0.9, start=0.1)),
        "optimal_steps": (
            grids.optimal_steps,
            dict(paths=paths(), schedule=VP, times=[0.0, 0.3, 0.6, END]),
        ),
        "optimal_steps.call": (
            grids.optimal_steps(paths()), dict(n=3, end=0.9, start=0.1)
        ),
        "resolve.start": (
            grids.resolve,
            dict(grid="nsr", n=3, schedule=VP, start=0.1, k=2.0, **ENDS),
        ),
    }  # fmt: skip


def solvers() -> dict:
    s = bj.solvers
    return {
        "construct": (
            s.construct, dict(name="unipc", nfe=4, schedule=VP, grid="uniform", **ENDS)
        ),
        "construct.start": (
            s.construct,
            dict(name="ddim", nfe=4, schedule=VP, grid="log_snr", start=0.1, **ENDS),
        ),
        "runge_kutta": (
            s.runge_kutta,
            dict(tableau=s.TABLEAUX["rk4"], schedule=VP, steps=2, grid="nsr", **ENDS),
        ),
        "tableau": (s.tableau, dict(a=[[0.5]], b=[0.0, 1.0], order=2)),
        "recursive_difference": (s.recursive_difference, dict(m=3)),
    }  # fmt: skip


def named_solvers() -> dict:
    made = {}
    for name, entry in bj.solvers.TABLE.items():
        given: dict = {"nfe": 2 * entry.stages, "grid": "uniform", **ENDS}
        if entry.needs:
            given["schedule"] = VP
        made[f"solvers.{name}"] = (entry.constructor, given)
    return made

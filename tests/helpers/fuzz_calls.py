"""The public functions with good arguments, for `fuzz` to put wrong ones in.

Each table maps a name to (function, good arguments); its name says what an argument is.
A name with a dot after it is the same function with other options.
"""

import jax
import jax.numpy as jnp
import numpy as np
from fuzz_arguments import (
    DDPM,
    END,
    ENDS,
    KEY,
    MODEL,
    MODEL_FIELDS,
    QUIET,
    VP,
    WIDE,
    family,
    field,
    measured,
    model_of,
    module,
    on_grid,
    paths,
    points,
    solver,
    x0,
)

import bespoke_jax as bj
from bespoke_jax import report

FIELDS_OF = (
    "guide", "guide.interval", "compose", "from_prediction", "threshold", "reverse",
    "change_schedule", "data_prediction", "noise_prediction", "switch",
    "fields.scale_time", "from_diffrax", "from_flax", "mixture_field",
)  # fmt: skip
"""What makes fields: these are sampled from."""


def solving() -> dict:
    seeing = lambda t, x, c: -x
    return {
        "sample": (bj.sample, dict(field=field, solver=solver(), x0=x0())),
        "sample.c": (
            bj.sample, dict(field=seeing, solver=solver(), x0=x0(), c=x0())
        ),
        "trajectory": (bj.trajectory, dict(field=field, solver=solver(), x0=x0())),
        "trajectory.predictions": (
            bj.trajectory,
            dict(field=field, solver=solver(), x0=x0(), predictions=VP, c=None),
        ),
        "validate": (bj.validate, dict(solver=solver())),
        "canonical": (bj.canonical, dict(solver=solver())),
        "conditional": (
            bj.conditional,
            dict(build=lambda w: solver(), low=0.0, high=6.0, tolerance=1e-6, most=9),
        ),
        "row_sums": (bj.row_sums, dict(solver=solver())),
        "trace": (bj.trace, dict(recursion=lambda u, x: x + u(0.0, x), end=1.0)),
        "reference.solve": (
            bj.reference.solve,
            dict(field=field, x0=x0(), rtol=1e-3, atol=1e-3, batch_size=4, **ENDS,
                 **QUIET),
        ),
        "reference.solve_for": (
            bj.reference.solve_for,
            dict(field=field, x0=x0(), nfe=3, batch_size=4, **ENDS, **QUIET),
        ),
        "reference.solve.times": (
            bj.reference.solve,
            dict(field=field, x0=x0(), times=[0.2, 0.5], start=0.0, method="dopri5",
                 max_steps=100, evaluations=5000, seconds=None, jumps=(0.5,),
                 dense=False, c=None, directory=None, **ENDS, **QUIET),
        ),
        "reference.invert": (
            bj.reference.invert,
            dict(field=field, x1=x0(), start=0.1, rtol=1e-3, atol=1e-3, batch_size=2,
                 max_steps=100, evaluations=5000, **ENDS, **QUIET),
        ),
        "reference.solve_at": (
            bj.reference.solve_at,
            dict(field=field, paths=paths(), times=[0.0, 0.5, END], rtol=1e-3,
                 atol=1e-3, method="tsit5", max_steps=100),
        ),
        "certify": (bj.certify, dict(solver="ddim", schedule=VP, nfe=(2, 4), **ENDS)),
        "certify.function": (
            bj.certify,
            dict(solver=lambda n: bj.solvers.euler(steps=int(n)), nfe=(2, 4),
                 schedule=VP, claimed=1, name="mine", note=""),
        ),
        "certify.solver": (bj.certify, dict(solver=solver(), schedule=VP, name="")),
        "take": (bj.paths.take, dict(paths=paths(), index=slice(0, 3))),
        "split": (bj.paths.split, dict(paths=paths(), held_out=0.5)),
        "at": (bj.paths.at, dict(paths=paths(), t=0.5)),
    }  # fmt: skip


def fitting() -> dict:
    key = jax.random.key(0)
    curve = bj.families.curve(2, end=END)
    return {
        "fit": (
            bj.fit,
            dict(family=family(), field=field, paths=paths(), key=key, iterations=2,
                 batch_size=4, validation=0.2, validate_every=1, **QUIET),
        ),
        "fit.joint": (
            bj.fit,
            dict(family=curve.over((1, 2)), field=field, paths=paths(), key=key,
                 loss=bj.losses.rmse, start=None, iterations=1, batch_size=4, **QUIET),
        ),
        "fit.scores": (
            bj.fit,
            dict(family=bj.families.nonstationary(2, end=END), field=field, key=key,
                 paths=paths(), loss=bj.losses.mse, start=None, optimizer=None,
                 iterations=1, validate_every=1, batch_size=4, validation=0.2,
                 test=paths(), evaluations=50000, seconds=20.0, save_seconds=1.0,
                 directory=None, **QUIET),
        ),
        "regress": (
            bj.regress,
            dict(field=field, paths=paths(), times=np.array([0.0, 0.5, END]),
                 schedule=VP, window=2, prior=None, ridge=1e-8, rounds=1,
                 states="own", batch_size=5),
        ),
        "olss": (
            bj.olss,
            dict(field=field, paths=paths(), nfe=2, schedule=VP, ridge=1e-8,
                 teacher=[0.0, 0.3, 0.6, END], prediction="noise", batch_size=5),
        ),
        "tailor": (
            bj.tailor,
            dict(field=field, x0=paths(), nfe=2, key=key, schedule=VP, judge="mean",
                 effort="best", degree=2, starts=[], validation=0.2, test=0.2,
                 probes=2, evaluations=5000, seconds=20.0, **ENDS, **QUIET),
        ),
        "tailor.set": (
            bj.tailor,
            dict(field=field, x0=paths(), nfe=(1, 2), key=key, effort="seconds",
                 batch_size=8, tolerance=1e-3, **ENDS, **QUIET),
        ),
        "scale_time": (
            bj.families.scale_time, dict(steps=2, base="rk4", learn="both", **ENDS)
        ),
        "nonstationary": (bj.families.nonstationary, dict(nfe=3, schedule=VP, **ENDS)),
        "families.timesteps": (
            bj.families.timesteps,
            dict(constructor=on_grid, grid=np.array([0.0, 0.4, 0.9]), name=None),
        ),
        "families.curve": (bj.families.curve, dict(degree=3, base="midpoint", **ENDS)),
        "curve.init": (curve.init, dict(start=None)),
        "curve.at": (curve.at, dict(steps=2)),
        "curve.over": (curve.over, dict(steps=(1, 2))),
        "from_path": (
            bj.families.from_path,
            dict(family=family(), time=lambda r: END * r, scale=lambda r: 1 + r),
        ),
        "from_schedules": (
            bj.families.from_schedules,
            dict(family=family(), old=VP, new=bj.schedules.CondOT()),
        ),
        "nonstationary.init": (
            bj.families.nonstationary(3, end=END).init, dict(start=solver())
        ),
        "scale_time.init": (family().init, dict(start=None)),
        "insert": (bj.families.insert, dict(start=solver(), t=0.5, schedule=VP)),
        "lipschitz": (
            bj.losses.lipschitz,
            dict(field=field, paths=paths(), key=key, iterations=2, samples=4),
        ),
        "losses.rmse": (
            bj.losses.rmse,
            dict(family=family(), theta=family().init(), field=field, paths=paths()),
        ),
        "losses.rmse_bound": (
            bj.losses.rmse_bound,
            dict(family=family(), theta=family().init(), field=field, paths=paths()),
        ),
        "losses.lte": (
            bj.losses.lte,
            dict(family=family(), theta=family().init(), field=field, paths=paths(),
                 online=True, tolerance=1e-3, sequential=True),
        ),
        "losses.mse": (
            bj.losses.mse,
            dict(family=family(), theta=family().init(), field=field, paths=paths()),
        ),
        "losses.tightness": (
            bj.losses.tightness,
            dict(family=family(), theta=family().init(), field=field, paths=paths(),
                 measured=measured()),
        ),
        "losses.x_aux": (
            bj.losses.x_aux, dict(paths=paths(), t=jnp.array([0.0, 0.5]))
        ),
        "losses.psnr": (
            bj.losses.psnr,
            dict(family=family(), theta=family().init(), field=field, paths=paths()),
        ),
    }  # fmt: skip


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


def measuring() -> dict:
    metrics, key = bj.metrics, jax.random.key(0)
    return {
        "rmse": (metrics.rmse, dict(x=x0(), y=x0())),
        "psnr": (metrics.psnr, dict(x=x0(), y=x0())),
        "errors": (metrics.errors, dict(x=x0(), y=x0())),
        "frechet": (metrics.frechet, dict(x=x0(), y=x0())),
        "flip_rate": (metrics.flip_rate, dict(x=x0(), y=x0(), fraction=0.1)),
        "summary": (
            metrics.summary,
            dict(x=x0(), y=x0(), key=key, resamples=10, level=0.9),
        ),
        "psnr.range": (metrics.psnr, dict(x=x0(), y=x0(), data_range=2.0)),
        "frechet_infinity": (
            metrics.frechet_infinity,
            dict(x=WIDE, y=WIDE, key=key, sizes=3, repeats=2),
        ),
        "sliced_wasserstein": (
            metrics.sliced_wasserstein, dict(x=x0(), y=x0(), key=key, projections=4)
        ),
        "energy_distance": (metrics.energy_distance, dict(x=x0(), y=x0())),
        "mmd": (metrics.mmd, dict(x=x0(), y=x0(), bandwidth=1.0)),
        "work_precision": (
            metrics.work_precision,
            dict(field=field, solvers={"a": solver()}, paths=paths(), batch_size=4,
                 repeats=1, keep=0, seed=0, **QUIET),
        ),
        "metrics.compare": (
            metrics.compare,
            dict(model=MODEL, solvers={"a": [solver()]}, count=4, key=KEY, batch_size=4,
                 keep=0, seed=0, **QUIET),
        ),
        "step_errors": (
            metrics.step_errors, dict(field=field, solver=solver(), paths=paths())
        ),
        "curvature": (metrics.curvature, dict(paths=paths())),
        "report.write": (
            report.write,
            dict(path="report.html", field=field, points=points(), paths=paths(),
                 schedule=VP, data_range=2.0, title="t", note="n"),
        ),
        "card.save": (
            bj.card.save,
            dict(path="card.json", solver=solver(), model="m", schedule=VP, rmse=0.1,
                 evaluations=3, seed=0, notes=""),
        ),
        "card.save.more": (
            bj.card.save,
            dict(path="more.json", solver=solver(), judge="mean", paths=3, rtol=1e-3,
                 atol=1e-3, certificate=1e-4, seconds=1.0, guidance=2.0, family="f",
                 schedule=bj.schedules.Scaled(bj.schedules.Shifted(VP, 2.0), 3.0),
                 loss="l", start_rmse=1.0),
        ),
        "card.load": (bj.card.load, dict(path="good.json")),
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


def calls() -> dict:
    """All of them."""
    tables = (
        solving, fitting, making_fields, measuring, schedules_and_grids, solvers,
        named_solvers,
    )  # fmt: skip
    return {name: call for table in tables for name, call in table().items()}

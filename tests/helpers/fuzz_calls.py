"""The public functions with good arguments, for `fuzz` to put wrong ones in.

Each table maps a name to (function, good arguments); its name says what an argument is.
A name with a dot after it is the same function with other options.
"""

import jax
import jax.numpy as jnp
import numpy as np
from fuzz_arguments import (
    END,
    ENDS,
    KEY,
    MODEL,
    QUIET,
    VP,
    WIDE,
    family,
    field,
    measured,
    on_grid,
    paths,
    points,
    solver,
    x0,
)
from fuzz_making import making_fields, named_solvers, schedules_and_grids, solvers

import bespoke_jax as bj
from bespoke_jax import report


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


def calls() -> dict:
    """All of them."""
    tables = (
        solving, fitting, making_fields, measuring, schedules_and_grids, solvers,
        named_solvers,
    )  # fmt: skip
    return {name: call for table in tables for name, call in table().items()}

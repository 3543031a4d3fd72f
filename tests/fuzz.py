"""Random calls of every public function and command, most of them wrong in one place.

    python tests/fuzz.py FIRST LAST        # seeds; prints one line for each bad answer

A call is good if it returns, or if the library itself raises a ValueError, TypeError or
RuntimeError of one sentence: the innermost frame is a `raise` in bespoke_jax. A command
is good if it answers with one line, and leaves the files that were there as they were.
Run in a process of its own, without the tests' strict settings, as a user would.
"""

import contextlib
import functools
import hashlib
import inspect
import io
import json
import linecache
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj
from bespoke_jax import cli, report

PACKAGE = str(Path(bj.__file__).parent)
VP, END = bj.schedules.VP(), 1 - 1e-3
DDPM = bj.schedules.DiscreteVP((0.9, 0.5, 0.1))


class Thing:
    """An object of no use to anybody."""


BAD_NUMBERS = [
    None, "x", "", -1, 0, 1, 2, 3.5, -0.5, 1e30, float("nan"), float("inf"),
    -float("inf"), [], [1, 2], (), {}, True, 1 + 2j, Thing(), np.float32(0.5),
    np.int64(3), np.nan, jnp.ones(3), jnp.ones(()), b"x", 10**12,
]  # fmt: skip
BAD_ARRAYS = [
    None, "x", 3.0, [], {}, {"a": jnp.ones(2)}, (jnp.ones((2, 2)),), Thing(),
    jnp.ones((4, 2), int), jnp.ones((4, 2)) * jnp.nan, jnp.ones((0, 2)), jnp.ones(()),
    jnp.ones((3, 2)), jnp.ones((4, 3)), np.array(["a", "b"]), np.ones((4, 2), complex),
    np.ones((4, 2, 1), np.float16), np.array([Thing()] * 4), jnp.zeros((4, 0)),
    [[1.0, 2.0], [3.0]],
]  # fmt: skip
BAD_FIELDS = [
    None, "x", 3, jnp.ones(2), Thing(), Thing,
    lambda: 0, lambda t: t, lambda x, t, c, d: x, lambda t, x: None,
    lambda t, x: x * jnp.nan, lambda t, x: x[:1], lambda t, x: {"u": x},
    lambda t, x: (x, x), lambda t, x: x.astype(int), lambda t, x: x + 1j,
    lambda t, x: x - x.mean(0), lambda t, x: 1 / 0, lambda t, x: x if t > 0 else -x,
    lambda t, x: np.asarray(x), lambda t, x: "x", lambda t, x: x @ jnp.ones((5, 5)),
]  # fmt: skip
BAD_NAMES = [None, "", "no such", 3, Thing(), "VP ", ["midpoint"], b"rk4", "\0", "é"]
BAD_SOLVERS = [
    None, "midpoint", 3, Thing(), (), {}, bj.Solver(1, 2, 3, 4, 5),
    bj.Solver(np.zeros(2), np.zeros(3), np.zeros((2, 1)), np.zeros((2, 1)), 1.0),
    bj.Solver(np.zeros(0), np.zeros(0), np.zeros((0, 0)), np.zeros((0, 1)), 1.0),
    bj.Solver("a", "b", "c", "d", "e"),
]  # fmt: skip
BAD_SCHEDULES = ["VP", 3, Thing(), bj.schedules.VP, lambda t: (t, 1 - t), {}]
BAD_KEYS = [None, 0, "x", jnp.ones(2), Thing()]
BAD_GRIDS = [
    "no such", "", 3, None, [], [0.0], [0.5, 0.2, 0.1], [0, np.nan, 1], ["a", "b"],
    np.ones((2, 2)), lambda *a: [0.0, 1.0], lambda *a: None, Thing(), [-1, 0, 1],
]  # fmt: skip
BAD_PATHS = [
    None, "x", 3, Thing(), (), jnp.ones((4, 2)), bj.Paths(1, 2, 3),
    bj.Paths(jnp.ones((4, 2)), jnp.ones((4, 3)), None), bj.Paths("a", "b", None),
]  # fmt: skip
BAD_TIMES = [*BAD_NUMBERS, *BAD_GRIDS]
WIDE = jax.random.normal(jax.random.key(2), (40, 2))
CARDS = "card-0.json", "card-1.json", "card-2.json", "card-3.json", "card-4.json"


def field(t, x, c=None):
    return 2.0 * jnp.reshape(t, (-1, 1)) - x


@functools.cache
def paths() -> bj.Paths:
    x0 = jax.random.normal(jax.random.key(0), (12, 2))
    return bj.reference.solve(field, x0, end=END, progress=False)


@functools.cache
def solver() -> bj.Solver:
    return bj.solvers.ddim(VP, nfe=3, end=END)


@functools.cache
def family():
    return bj.families.scale_time(2, base="midpoint", end=END)


@functools.cache
def module():
    return bj.demo.network("fm_ot")


def x0():
    return jax.random.normal(jax.random.key(1), (4, 2))


def calls() -> dict:
    """Name to (function, good arguments); the kind of each argument by its name."""
    s, key = bj.solvers, jax.random.key(0)
    grids, fields, metrics = bj.grids, bj.fields, bj.metrics
    quiet = {"progress": False}
    seeing = lambda t, x, c: -x
    end = {"end": END}
    cheap = {
        "sample": (bj.sample, dict(field=field, solver=solver(), x0=x0())),
        "trajectory": (bj.trajectory, dict(field=field, solver=solver(), x0=x0())),
        "validate": (bj.validate, dict(solver=solver())),
        "canonical": (bj.canonical, dict(solver=solver())),
        "row_sums": (bj.row_sums, dict(solver=solver())),
        "reference.solve": (
            bj.reference.solve,
            dict(field=field, x0=x0(), rtol=1e-3, atol=1e-3, batch_size=4, **end,
                 **quiet),
        ),
        "reference.solve.times": (
            bj.reference.solve,
            dict(field=field, x0=x0(), times=[0.2, 0.5], start=0.0, method="dopri5",
                 max_steps=100, evaluations=5000, seconds=None, jumps=(0.5,),
                 dense=False, c=None, directory=None, **end, **quiet),
        ),
        "reference.invert": (
            bj.reference.invert,
            dict(field=field, x1=x0(), start=0.1, rtol=1e-3, atol=1e-3, batch_size=2,
                 max_steps=100, evaluations=5000, **end, **quiet),
        ),
        "reference.solve_at": (
            bj.reference.solve_at,
            dict(field=field, paths=paths(), times=[0.0, 0.5, END], rtol=1e-3,
                 atol=1e-3, method="tsit5", max_steps=100),
        ),
        "trajectory.predictions": (
            bj.trajectory,
            dict(field=field, solver=solver(), x0=x0(), predictions=VP, c=None),
        ),
        "sample.c": (
            bj.sample, dict(field=seeing, solver=solver(), x0=x0(), c=x0())
        ),
        "trace": (bj.trace, dict(recursion=lambda u, x: x + u(0.0, x), end=1.0)),
        "certify.function": (
            bj.certify,
            dict(solver=lambda n: bj.solvers.euler(steps=n), nfe=(2, 4), schedule=VP,
                 claimed=1, name="mine", note=""),
        ),
        "certify.solver": (bj.certify, dict(solver=solver(), schedule=VP, name="")),
        "lipschitz": (
            bj.losses.lipschitz,
            dict(field=field, paths=paths(), key=key, iterations=2, samples=4),
        ),
        "report.write": (
            report.write,
            dict(path="report.html", field=field, points=points(), paths=paths(),
                 schedule=VP, data_range=2.0, title="t", note="n"),
        ),
        "fit.scores": (
            bj.fit,
            dict(family=bj.families.nonstationary(2, end=END), field=field, key=key,
                 paths=paths(), loss=bj.losses.mse, start=None, optimizer=None,
                 iterations=1, validate_every=1, batch_size=4, validation=0.2,
                 test=paths(), evaluations=50000, seconds=20.0, save_seconds=1.0,
                 directory=None, **quiet),
        ),
        "fit": (
            bj.fit,
            dict(family=family(), field=field, paths=paths(), key=key, iterations=2,
                 batch_size=4, validation=0.2, validate_every=1, **quiet),
        ),
        "tailor": (
            bj.tailor,
            dict(field=field, x0=paths(), nfe=2, key=key, schedule=VP, judge="mean",
                 validation=0.2, test=0.2, probes=2, evaluations=5000, seconds=20.0,
                 **end, **quiet),
        ),
        "certify": (bj.certify, dict(solver="ddim", schedule=VP, nfe=(2, 4), **end)),
        "scale_time": (
            bj.families.scale_time, dict(steps=2, base="rk4", learn="both", **end)
        ),
        "nonstationary": (bj.families.nonstationary, dict(nfe=3, schedule=VP, **end)),
        "families.timesteps": (
            bj.families.timesteps,
            dict(constructor=on_grid, grid=np.array([0.0, 0.4, 0.9]), name=None),
        ),
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
        "switch": (fields.switch, dict(early=field, late=field, boundary=0.5)),
        "reverse": (fields.reverse, dict(field=field)),
        "fields.scale_time": (
            fields.scale_time,
            dict(field=field, scale=lambda r: 1 + r, time=lambda r: r),
        ),
        "from_diffrax": (
            fields.from_diffrax, dict(vf=lambda t, y, args: -y, args=None)
        ),
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
        "take": (bj.paths.take, dict(paths=paths(), index=slice(0, 3))),
        "split": (bj.paths.split, dict(paths=paths(), held_out=0.5)),
        "at": (bj.paths.at, dict(paths=paths(), t=0.5)),
        "noise": (
            bj.model.noise, dict(model=bj.Model(field, (2,)), key=key, n=3)
        ),
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
        "losses.lte": (
            bj.losses.lte,
            dict(family=family(), theta=family().init(), field=field, paths=paths(),
                 online=True, tolerance=1e-3, sequential=True),
        ),
        "losses.psnr": (
            bj.losses.psnr,
            dict(family=family(), theta=family().init(), field=field, paths=paths()),
        ),
        "card.save.more": (
            bj.card.save,
            dict(path="more.json", solver=solver(), judge="mean", paths=3, rtol=1e-3,
                 atol=1e-3, certificate=1e-4, seconds=1.0, guidance=2.0, family="f",
                 schedule=bj.schedules.Scaled(bj.schedules.Shifted(VP, 2.0), 3.0),
                 loss="l", start_rmse=1.0),
        ),
        "Model": (model_of, MODEL_FIELDS),
        "demo.load": (bj.demo.load, dict(name="fm_ot")),
        "demo.network": (bj.demo.network, dict(name="fm_ot")),
        "work_precision": (
            metrics.work_precision,
            dict(field=field, solvers={"a": solver()}, paths=paths(), batch_size=4,
                 repeats=1, keep=0, seed=0, **quiet),
        ),
        "step_errors": (
            metrics.step_errors, dict(field=field, solver=solver(), paths=paths())
        ),
        "curvature": (metrics.curvature, dict(paths=paths())),
        "losses.rmse": (
            bj.losses.rmse,
            dict(family=family(), theta=family().init(), field=field, paths=paths()),
        ),
        "losses.rmse_bound": (
            bj.losses.rmse_bound,
            dict(family=family(), theta=family().init(), field=field, paths=paths()),
        ),
        "card.save": (
            bj.card.save,
            dict(path="card.json", solver=solver(), model="m", schedule=VP, rmse=0.1,
                 evaluations=3, seed=0, notes=""),
        ),
        "card.load": (bj.card.load, dict(path="good.json")),
        "VP": (bj.schedules.VP, dict(beta_min=0.1, beta_max=20.0)),
        "EDM": (bj.schedules.EDM, dict(sigma_min=0.01, sigma_max=10.0, rho=7.0)),
        "CosineVP": (bj.schedules.CosineVP, dict(s=0.01)),
        "Scaled": (bj.schedules.Scaled, dict(base=VP, sigma_0=2.0)),
        "DiscreteVP": (bj.schedules.DiscreteVP, dict(alphas_bar=(0.9, 0.5, 0.1))),
        "Shifted": (bj.schedules.Shifted, dict(base=VP, shift=2.0)),
        "LogSNR": (bj.schedules.LogSNR, dict(gamma=lambda t: 10 * (0.5 - t))),
        "schedules.check": (bj.schedules.check, dict(schedule=VP, rtol=1e-5)),
        "to_dict": (bj.schedules.to_dict, dict(schedule=VP)),
        "from_dict": (
            bj.schedules.from_dict, dict(record=bj.schedules.to_dict(VP))
        ),
        "DiscreteVP.time": (DDPM.time, dict(step=1)),
        "shift": (grids.shift, dict(n=3, shift=3.0, start=0.1, **end)),
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
        "resolve.start": (
            grids.resolve,
            dict(grid="nsr", n=3, schedule=VP, start=0.1, k=2.0, **end),
        ),
        "construct.start": (
            s.construct,
            dict(name="ddim", nfe=4, schedule=VP, grid="log_snr", start=0.1, **end),
        ),
        "runge_kutta": (
            s.runge_kutta,
            dict(tableau=s.TABLEAUX["rk4"], schedule=VP, steps=2, grid="nsr", **end),
        ),
        "tableau": (s.tableau, dict(a=[[0.5]], b=[0.0, 1.0], order=2)),
        "recursive_difference": (s.recursive_difference, dict(m=3)),
        "resolve": (grids.resolve, dict(grid="uniform", n=3, schedule=VP, **end)),
        "explicit": (grids.explicit, dict(times=[0.0, 0.5, 1.0])),
        "uniform": (grids.uniform, dict(n=3, **end)),
        "quadratic": (grids.quadratic, dict(n=3, **end)),
        "sigmoid": (grids.sigmoid, dict(n=3, slope=3.0, **end)),
        "log_snr": (grids.log_snr, dict(n=3, schedule=VP, **end)),
        "nsr": (grids.nsr, dict(n=3, schedule=VP, k=3.1, **end)),
        "edm": (grids.edm, dict(n=3, schedule=VP, rho=7.0, **end)),
        "construct": (
            s.construct, dict(name="unipc", nfe=4, schedule=VP, grid="uniform", **end)
        ),
    }  # fmt: skip
    for name, entry in s.TABLE.items():
        made: dict = {entry.takes: 2 * entry.stages, "grid": "uniform", **end}
        if entry.needs:
            made["schedule"] = VP
        cheap[f"solvers.{name}"] = (entry.constructor, made)
    return cheap


MODEL_FIELDS = {
    "field": field, "shape": (2,), "end": 0.9, "schedule": VP, "data_range": 2.0,
    "name": "", "description": "", "training_evaluations": 3, "c": None, "start": 0.0,
    "x0": None,
}  # fmt: skip


def model_of(**fields):
    """What a model is used for: its noise and one sample."""
    model = bj.Model(**fields)
    x, c = bj.model.noise(model, jax.random.key(0), 3)
    return bj.sample(model.field, solver(), x, c=c)


def on_grid(times):
    return bj.solvers.euler(steps=len(times) - 1, grid=times)


@functools.cache
def points():
    return bj.metrics.work_precision(
        field, {"a": solver()}, paths(), keep=4, repeats=1, progress=False
    )


POOLS = {
    "field": BAD_FIELDS, "network": BAD_FIELDS, "conditional": BAD_FIELDS,
    "unconditional": BAD_FIELDS, "module": BAD_FIELDS, "solver": BAD_SOLVERS,
    "x0": BAD_ARRAYS, "x": BAD_ARRAYS, "y": BAD_ARRAYS, "paths": BAD_PATHS,
    "schedule": BAD_SCHEDULES, "old": BAD_SCHEDULES, "new": BAD_SCHEDULES,
    "base": BAD_SCHEDULES + BAD_NAMES, "key": BAD_KEYS, "grid": BAD_GRIDS,
    "times": BAD_GRIDS, "kind": BAD_NAMES, "time": BAD_NAMES, "order": BAD_NAMES,
    "judge": BAD_NAMES, "learn": BAD_NAMES, "name": BAD_NAMES, "model": BAD_NAMES,
    "path": [
        None, 3, "", "deep/folder/x.json", ".", "broken.json", "binary.json", "\0",
        b"x", Path("kept.json") / "x", *CARDS,
    ],
    "directory": [3, "", "kept.json", "\0", Thing(), "kept.json/x"],
    "early": BAD_FIELDS, "late": BAD_FIELDS, "weak": BAD_FIELDS, "vf": BAD_FIELDS,
    "gamma": BAD_FIELDS, "scale": BAD_FIELDS + BAD_NUMBERS, "x1": BAD_ARRAYS,
    "constructor": BAD_FIELDS, "recursion": BAD_FIELDS, "predictions": BAD_SCHEDULES,
    "sigmas": BAD_ARRAYS + BAD_GRIDS, "timesteps": BAD_ARRAYS + BAD_GRIDS,
    "jumps": BAD_TIMES, "interval": BAD_TIMES + [(0, 1, 2), (0.5, 0.1), "ab"],
    "t": BAD_TIMES, "nulls": BAD_ARRAYS, "weights": BAD_ARRAYS, "null": BAD_ARRAYS,
    "measured": BAD_NUMBERS, "points": [None, [], [3], "x", 3, Thing()],
    "record": [None, {}, {"name": 3}, {"name": "VP", "x": 1}, {"name": "EDM", "rho": 0},
               {"name": "Scaled", "base": {"name": "no"}}, {"name": "VP",
                "beta_min": "x"}, {"name": "Scaled", "base": 3}, 3],
    "tableau": [None, "rk4", 3, (), Thing()], "a": BAD_ARRAYS, "b": BAD_ARRAYS,
    "shape": [None, "x", 3, (), (0,), (-1,), (2.0,), ("a",), [2], (5,), {}],
    "loss": [None, "rmse", 3, Thing, lambda *a: 1 / 0, lambda *a: "x",
             lambda *a: jnp.ones(3), bj.losses.rmse],
    "optimizer": ["adam", 3, Thing(), Thing],
    "dense": [True, False], "online": [True, False], "sequential": [True, False],
    "args": BAD_ARRAYS, "c": BAD_ARRAYS, "step": BAD_ARRAYS + BAD_NUMBERS,
    "validation": BAD_PATHS + BAD_NUMBERS, "test": BAD_PATHS + BAD_NUMBERS,
    "learned": BAD_NUMBERS, "nfe": BAD_NUMBERS + [(2,), (4, 2), (2, "x"), "ab"],
    "max": BAD_ARRAYS + BAD_NUMBERS, "method": BAD_NAMES, "title": BAD_NAMES,
    "family": [None, "x", 3, Thing()], "theta": [None, "x", {}, {"t": "x"}, 3],
    "solvers": [None, {}, [], "ddim", {"a": None}, {"a": []}, {"a": "ddim"}, 3],
    "start": BAD_SOLVERS + BAD_NUMBERS, "alphas_bar": BAD_ARRAYS + BAD_NUMBERS,
    "variables": [None, {}, {"params": {}}, 3, "x"],
    "index": [None, "x", 1.5, [99], slice(20, 30), Thing()],
}  # fmt: skip


LONG = ("iterations", "repeats", "sizes", "probes", "validate_every", "max_steps")
"""What may be a large number, for work that is as large."""
FIELDS_OF = (
    "guide", "guide.interval", "compose", "from_prediction", "threshold", "reverse",
    "change_schedule", "data_prediction", "noise_prediction", "switch",
    "fields.scale_time", "from_diffrax", "from_flax",
)  # fmt: skip
"""What makes fields: these are sampled from."""


def _good_answer(error: BaseException) -> str:
    """What is wrong with an exception as an answer; "" where nothing is."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split("\n" + "-" * 20)[0].split())
    if not isinstance(error, ValueError | TypeError | RuntimeError | OSError):
        return f"{type(error).__name__}: {text[:160]}"
    ours = last.filename.startswith(PACKAGE)
    raised = linecache.getline(last.filename, last.lineno).strip().startswith("raise")
    if not (ours and raised):
        where = Path(last.filename).name
        return f"{type(error).__name__} from {where}:{last.lineno}: {text[:160]}"
    if not text or len(text) > 1200:
        return f"message of {len(text)} characters"
    return ""


def one_call(rng: np.random.Generator, table: dict) -> tuple[str, str]:
    """(what was called, what is wrong with its answer)."""
    name = str(rng.choice(sorted(table)))
    function, good = table[name]
    arguments = dict(good)
    for _ in range(int(rng.choice([1, 1, 1, 2]))):
        which = str(rng.choice(sorted(arguments)))
        if which == "progress":
            continue
        pool = POOLS.get(which, BAD_NUMBERS[:-1] if which in LONG else BAD_NUMBERS)
        arguments[which] = pool[int(rng.integers(len(pool)))]
    shown = ", ".join(
        f"{k}={_short(v)}" for k, v in arguments.items() if v is not good[k]
    )
    try:
        out = function(**arguments)
        if name in FIELDS_OF:
            bj.sample(out, solver(), x0(), c=x0() if name == "compose" else None)
        jax.block_until_ready([v for v in jax.tree.leaves(out) if hasattr(v, "shape")])
    except Exception as error:
        return f"{name}({shown})", _good_answer(error)
    return f"{name}({shown})", ""


def _short(value) -> str:
    if inspect.isfunction(value):
        return inspect.getsource(value).strip().split("\n")[0][:60]
    return repr(value).replace("\n", " ")[:60]


MODEL = """
import jax.numpy as jnp
import bespoke_jax as bj
def load(): return bj.Model(lambda t, x: 2 * t[:, None] - x, (2,), end=0.999)
def nan(): return bj.Model(lambda t, x: x * jnp.nan, (2,))
def late():
    return bj.Model(lambda t, x: x * jnp.where(t > .5, jnp.nan, 1.)[:, None], (2,))
def narrow(): return bj.Model(lambda t, x: x[:, :1], (2,))
def raises(): raise KeyError("x")
def returns(): return 3
def shape(): return bj.Model(lambda t, x: x, ("a",))
def empty(): return bj.Model(lambda t, x: x, ())
def ends(): return bj.Model(lambda t, x: x, (2,), end=7)
def schedule(): return bj.Model(lambda t, x: x, (2,), schedule="VP")
def range_(): return bj.Model(lambda t, x: x, (2,), data_range="wide")
def coupled(): return bj.Model(lambda t, x: x - x.mean(0), (2,))
"""
FLAGS = {
    "--model": [
        "m.py:load", "m.py:load", "m.py:load", "m.py:nan", "m.py:late", "m.py:narrow",
        "m.py:raises", "m.py:returns", "m.py:shape", "m.py:empty", "m.py:ends",
        "m.py:schedule", "m.py:range_", "m.py:coupled", "m.py:no", "no.py:load",
        "nothing", "broken.py:f", "json:loads", "a:b:c", ":", "",
    ],
    "--nfe": ["2", "4", "0", "-1", "x", "1.5", "nan", "1000000000000", ""],
    "--n": ["2", "3", "0", "-1", "x", "1e3"],
    "--paths": ["12", "12", "3", "0", "-5", "x"],
    "--seed": ["0", "-1", "4294967296", "x"],
    "--out": ["new.json", "new.npz", "newdir", "", ".", "kept.json", "no/x.json",
              "kept.json/x", "\0"],
    "--judge": ["mean", "median", "best", ""],
    "--loss": ["rmse", "lte", "x"],
    "--base": ["midpoint", "euler", "rk5", ""],
    "--iterations": ["2", "0", "-1", "x"],
    "--lr": ["0.01", "0", "-1", "nan", "inf", "x"],
    "--batch-size": ["4", "0", "-1", "999", "x"],
    "--evaluations": ["3000", "5", "-1", "nan", "x", "inf"],
    "--seconds": ["20", "-1", "nan", "x"],
    "--directory": ["run", "kept.json", "\0"],
    "--improve": [*CARDS, "good.json", "kept.json", "no.json", ""],
    "--schedule": ["VP", "CondOT", "vp", "x"],
    "--end": ["0.9", "0", "1", "2", "nan", "x"],
    "--start": ["0", "0.5", "-3", "2", "nan", "x"],
    "--solvers": [*CARDS, "euler", "good.json", "unipc:quadratic", "unipc:x",
                  "eulr", "no.json", "kept.json", "x.json:y", ""],
}  # fmt: skip
COMMANDS = {
    "tailor": ("--model", "--nfe", "--paths", "--evaluations", "--seconds", "--out",
               "--seed", "--judge", "--improve", "--directory", "--start"),
    "fit": ("--model", "--nfe", "--paths", "--iterations", "--lr", "--batch-size",
            "--loss", "--base", "--out", "--seed", "--directory", "--start"),
    "sample": ("--model", "--nfe", "--n", "--seed", "--out", "--start"),
    "compare": ("--model", "--nfe", "--n", "--seed", "--out", "--solvers",
                "--batch-size", "--start"),
    "certify": ("--schedule", "--end"),
    "show": (),
    "list": (),
}  # fmt: skip
SAFE = {
    "tailor": "--model m.py:load --nfe 2 --paths 12 --evaluations 3000",
    "fit": "--model m.py:load --nfe 2 --paths 12 --iterations 2 --batch-size 4",
    "sample": "--model m.py:load --nfe 2 --n 3",
    "compare": "--model m.py:load --nfe 2 --n 3 --solvers euler",
}


DEFAULT_OUT = {"tailor": "tailored.json", "fit": "solver.json", "sample": "samples.npz"}


def mutated_card(rng: np.random.Generator, text: str) -> str:
    """A valid card with one place of its JSON changed."""
    data = json.loads(text)
    place: list | dict = data
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = keys[int(rng.integers(len(keys)))]
        inside = place[key]
        if isinstance(inside, dict | list) and inside and rng.random() < 0.8:
            place = inside
            continue
        junk = [None, "x", -1, 0, 1e30, 2, [], {}, True, [1.0], {"name": "VP"}, "nan"]
        if rng.random() < 0.2:
            del place[key]
        else:
            place[key] = junk[int(rng.integers(len(junk)))]
        break
    text = json.dumps(data)
    return text[: int(rng.integers(len(text)))] if rng.random() < 0.1 else text


def one_command(rng: np.random.Generator) -> tuple[str, str]:
    """(the line, what is wrong with its answer)."""
    name = str(rng.choice(sorted(COMMANDS)))
    words = dict(zip(*[iter(SAFE.get(name, "").split())] * 2, strict=True))
    for _ in range(int(rng.integers(1, 3))):
        if COMMANDS[name]:
            flag = str(rng.choice(COMMANDS[name]))
            words[flag] = str(rng.choice(FLAGS[flag]))
    argv = [name]
    if name in ("sample", "certify", "show"):
        pool = CARDS if rng.random() < 0.4 else FLAGS["--solvers"]
        argv.append(str(rng.choice(pool)))
    argv += [word for pair in words.items() for word in pair]
    if name in ("tailor", "fit", "sample", "compare"):
        argv.append("--no-progress")
    if rng.random() < 0.1:
        argv.append(str(rng.choice(["--nope", "extra", "--nfe", "-x", "--help"])))
    good = Path("good.json" if rng.random() < 0.5 else "nested.json").read_text()
    for card in CARDS:
        Path(card).write_text(mutated_card(rng, good))
    before = _state()
    out, err = io.StringIO(), io.StringIO()
    line = "bespoke " + " ".join(repr(w) if not w.isprintable() else w for w in argv)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(argv)
    except BaseException as error:
        return line, f"{type(error).__name__}: {str(error)[:200]}"
    said = [text for text in err.getvalue().splitlines() if text.strip()]
    after = _state()
    lost = [file for file, mark in before.items() if after.get(file) != mark]
    out_file = words.get("--out", DEFAULT_OUT.get(name, ""))
    lost = [file for file in lost if file != out_file or code]
    if lost:
        return line, f"changed {lost} (code {code})"
    if code not in (0, 1, 2):
        return line, f"exit code {code}"
    told = [text for text in said if text.startswith("bespoke: ")]
    if len(told) != len(said) or (code and len(said) != 1):
        return line, f"code {code}, said {said[:3]}"
    return line, ""


def _state() -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(".").glob("*.*")
        if path.is_file()
    }


def main(first: int, last: int) -> int:
    """Print what is badly answered; the number of such seeds."""
    bad = 0
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("m.py").write_text(MODEL)
        Path("broken.py").write_text("def f(:\n")
        Path("broken.json").write_text('{"format": "bespoke_jax card", ')
        Path("binary.json").write_bytes(os.urandom(100))
        Path("kept.json").write_text('{"a": "file that is no card"}\n')
        bj.card.save("good.json", solver(), model="m.py:load")
        scaled = bj.schedules.Scaled(bj.schedules.Shifted(VP, 2.0), 3.0)
        about: dict = {"model": "m.py:load", "judge": "mean", "rmse": 0.1, "paths": 3}
        bj.card.save("nested.json", solver(), schedule=scaled, **about)
        table = calls()
        for card in CARDS:
            Path(card).write_text(Path("good.json").read_text())
        for seed in range(first, last):
            rng = np.random.default_rng(seed)
            what, wrong = one_command(rng) if seed % 4 == 0 else one_call(rng, table)
            if wrong:
                bad += 1
                print(f"seed {seed}: {what}\n    {wrong}", flush=True)
    print(f"{last - first} seeds, {bad} badly answered")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))

"""Random calls of every constructor: a valid solver, or one sentence."""

import math
import warnings
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from marks import quick_are

import bespoke_jax as bj
from bespoke_jax import grids, schedules
from bespoke_jax.schedules import (
    EDM,
    VP,
    CondOT,
    Cosine,
    CosineVP,
    DiscreteVP,
    LogSNR,
    Scaled,
    Shifted,
)
from bespoke_jax.solvers import TABLE, TABLEAUX, construct

SEEDS = 300
DDPM = DiscreteVP(np.cumprod(1 - np.linspace(1e-4, 0.02, 100)))


class Own(schedules.Path):
    def alpha(self, t):
        return t * (2 - t)

    def sigma(self, t):
        return 1 - t


def falling(slope, t):
    return slope * (0.7 - t)


def any_schedule(rng):
    """A schedule, often with extreme parameters; or ValueError."""
    power = lambda low, high: float(10 ** rng.uniform(low, high))
    base = [
        lambda: VP(),
        lambda: VP(power(-12, 2), power(-12, 3.5)),
        lambda: CondOT(),
        lambda: Cosine(),
        lambda: CosineVP(power(-12, 12)),
        lambda: EDM(power(-12, 2), power(-2, 12), power(-3, 3)),
        lambda: DDPM,
        lambda: DDPM.zero_terminal_snr(),
        lambda: DiscreteVP(np.sort(rng.uniform(0, 1, rng.integers(1, 9)) ** 9)[::-1]),
        lambda: Own(),
        lambda: LogSNR(partial(falling, power(-3, 3))),
        lambda: None,
    ]
    schedule = base[rng.integers(len(base))]()
    if schedule is not None and rng.random() < 0.25:
        schedule = Scaled(schedule, power(-12, 12))
    if schedule is not None and rng.random() < 0.25:
        schedule = Shifted(schedule, power(-12, 12))
    return schedule


def any_number(rng):
    """A time or count, as some type that is one, and sometimes as none."""
    value = rng.choice([0.0, 1.0, 0.5, 1e-12, 1 - 1e-12, 1e-300, rng.random()])
    kinds = [float, float, np.float64, np.float32, np.array, jnp.asarray]
    odd = [math.nan, math.inf, -0.5, 1.5, 1 + 1e-8, -1e-8, None, True, 0, 1]
    return (
        odd[rng.integers(len(odd))] if rng.random() < 0.1 else rng.choice(kinds)(value)
    )


def any_count(rng):
    odd = [0, -1, 2.0, 2.5, True, "3", None, np.int64(5), np.float64(4), math.nan]
    return (
        odd[rng.integers(len(odd))] if rng.random() < 0.1 else int(rng.integers(1, 13))
    )


def any_grid(rng, n):
    power = lambda low, high: float(10 ** rng.uniform(low, high))
    steps = n if isinstance(n, int) and n > 0 else 3
    kinds = [
        *[lambda: str(rng.choice(grids.NAMES))] * 12,
        lambda: np.linspace(0, 1, steps + 1),
        lambda: np.sort(rng.uniform(0, 1, steps + 1)),
        lambda: np.cumsum(rng.uniform(0, 2 / steps, steps + 1)).tolist(),
        lambda: partial(grids.nsr, k=power(-12, 300)),
        lambda: partial(grids.edm, rho=power(-4, 4)),
        lambda: partial(grids.sigmoid, slope=power(-12, 12)),
        lambda: partial(grids.shift, shift=power(-12, 12)),
        lambda: "nothing",
        lambda: None,
        lambda: lambda n, s, e: np.ones(3),
        lambda: lambda: None,
        lambda: 3,
        lambda: [0.0, "x"],
        lambda: [[0.0, 1.0]],
    ]
    return kinds[rng.integers(len(kinds))]()


def any_option(rng, constructor):
    """Options of some constructors, right and wrong."""
    known = set(constructor.__kwdefaults__ or ())
    values = {
        "order": [1, 2, 3, 4, 0, 5, 2.0, True, "2"],
        "variant": [
            "bh1",
            "bh2",
            "vary_coeff",
            "taylor",
            "exact",
            "time",
            "log_snr",
            1,
        ],
        "denoise": [True, False],
        "lower_order_final": [True, False],
        "corrector": [True, False],
        "prediction": ["data", "noise", "v"],
        "r1": [
            0.5,
            1e-12,
            0.0,
            1.0,
            "inner",
            "paper",
            "geometric",
            "x",
            None,
            math.nan,
        ],
        "r2": [2 / 3, 0.5, 1 - 1e-12, 0.0, 2, "x"],
        "phi": ["rd", "fd", "official", "x", 1, 1e-300, 0.0, math.nan, None],
        "mode": ["fixed", "agile", "x"],
        "stage": ["paper", "taylor", "x"],
        "k": [3.1, 0, 1e300, -1.0, math.nan, "x", None],
    }
    return {
        key: choices[rng.integers(len(choices))]
        for key, choices in values.items()
        if key in known and rng.random() < 0.3
    }


def call(rng):
    name = str(rng.choice([*TABLE, *TABLEAUX]))
    schedule, nfe = any_schedule(rng), any_count(rng)
    bounds = {k: any_number(rng) for k in ("start", "end") if rng.random() < 0.4}
    grid = any_grid(rng, nfe)
    if rng.random() < 0.3:
        return construct(name, nfe, schedule=schedule, grid=grid, **bounds)
    entry = TABLE[name]
    options = any_option(rng, entry.constructor)
    if rng.random() < 0.9:
        options["grid"] = grid
    return entry.constructor(schedule, nfe=nfe, **bounds, **options)


# A schedule that is inverted numerically takes seconds.
@pytest.mark.parametrize("block", quick_are((0, 2, 4, 8), range(10)))
def test_a_valid_solver_or_one_sentence(block):
    valid = 0
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                solver = call(np.random.default_rng(seed))
            except ValueError as error:
                text = str(error)
                assert text and "\n" not in text and len(text) < 400, (seed, text)
                continue
            except TypeCheckError:
                continue  # the annotations of a full run came first
        bj.validate(solver)
        valid += 1
    assert valid > 3

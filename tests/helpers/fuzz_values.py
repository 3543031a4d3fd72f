"""Values of no use, by what they are given for: the material of `fuzz`."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj

CARDS = "card-0.json", "card-1.json", "card-2.json", "card-3.json", "card-4.json"
"""Files that hold a card with one place changed, another one for each command."""


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
    None, "midpoint", 3, Thing(), (), {}, bj.Solver._make([1, 2, 3, 4, 5]),
    bj.Solver._make([*map(np.zeros, (2, 3, (2, 1), (2, 1))), 1.0]),
    bj.Solver._make([*map(np.zeros, (0, 0, (0, 0), (0, 1))), 1.0]),
    bj.Solver._make("abcde"),
]  # fmt: skip
BAD_SCHEDULES = ["VP", 3, Thing(), bj.schedules.VP, lambda t: (t, 1 - t), {}]
BAD_KEYS = [None, 0, "x", jnp.ones(2), Thing()]
BAD_GRIDS = [
    "no such", "", 3, None, [], [0.0], [0.5, 0.2, 0.1], [0, np.nan, 1], ["a", "b"],
    np.ones((2, 2)), lambda *a: [0.0, 1.0], lambda *a: None, Thing(), [-1, 0, 1],
]  # fmt: skip
EMPTY = bj.Paths._field_defaults.values()
BAD_PATHS = [
    None, "x", 3, Thing(), (), jnp.ones((4, 2)), bj.Paths._make([1, 2, 3, *EMPTY]),
    bj.Paths(jnp.ones((4, 2)), jnp.ones((4, 3)), None),
    bj.Paths._make(["a", "b", None, *EMPTY]),
]  # fmt: skip
BAD_TIMES = [*BAD_NUMBERS, *BAD_GRIDS]

POOLS = {
    "field": BAD_FIELDS, "network": BAD_FIELDS, "conditional": BAD_FIELDS,
    "unconditional": BAD_FIELDS, "module": BAD_FIELDS, "solver": BAD_SOLVERS,
    "x0": BAD_ARRAYS, "x": BAD_ARRAYS, "y": BAD_ARRAYS, "paths": BAD_PATHS,
    "schedule": BAD_SCHEDULES, "old": BAD_SCHEDULES, "new": BAD_SCHEDULES,
    "base": BAD_SCHEDULES + BAD_NAMES, "key": BAD_KEYS, "grid": BAD_GRIDS,
    "times": BAD_GRIDS, "teacher": BAD_GRIDS, "prediction": BAD_NAMES,
    "kind": BAD_NAMES, "time": BAD_NAMES, "order": BAD_NAMES,
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

"""Members of the scale-time family, and solvers that lie in it."""

import json
from itertools import pairwise
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np

import bespoke_jax as bj

BASES = tuple(bj.solvers.TABLEAUX)


def perturbed(family, seed, size=0.3):
    leaves, structure = jax.tree.flatten(family.init())
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [
        leaf + size * jax.random.normal(key, leaf.shape)
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, moved)


def count(family) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(family.init()))


def wave(t, x, c=None):
    return jnp.sin(1.3 * x + jnp.reshape(t, (-1, 1))) - 0.2 * x


_FILE = Path(__file__).parents[1] / "golden" / "golden.json"
GOLDEN = json.loads(_FILE.read_text())
CALO = [
    e
    for e in GOLDEN["entries"]
    if e["params"].get("solver") in ("BespokeEuler", "BespokeMidpoint")
]


VP, END = bj.schedules.VP(), 0.99


def same_solver(got, want, atol=1e-10):
    chex.assert_trees_all_close(bj.canonical(got), bj.canonical(want), atol=atol)
    chex.assert_trees_all_close(np.asarray(got.t), np.asarray(want.t), atol=atol)


def noise(schedule, u):
    """eps(t, x) as a combination of x and u(t, x), on symbols."""

    def eps(t, x):
        (a, s), (da, ds) = schedule(t), schedule.rates(t)
        return (da * x - a * u(t, x)) / (s * da - a * ds)

    return eps


def ddim(schedule, times):
    """x_s = (alpha_s / alpha_t) x + (sigma_s - alpha_s sigma_t / alpha_t) eps."""

    def recursion(u, x):
        eps = noise(schedule, u)
        for t, s in pairwise(times):
            (a_t, sigma_t), (a_s, sigma_s) = schedule(t), schedule(s)
            x = a_s / a_t * x + (sigma_s - a_s * sigma_t / a_t) * eps(t, x)
        return x

    return bj.trace(recursion, end=times[-1])


def dpm_solver_2(schedule, times):
    """Singlestep, half-way in log-SNR; Lu et al. (2022), algorithm 1."""

    def recursion(u, x):
        eps = noise(schedule, u)
        for t, s in pairwise(times):
            lam_t, lam_s = schedule.log_snr(t), schedule.log_snr(s)
            h, m = lam_s - lam_t, float(schedule.time_at_log_snr((lam_t + lam_s) / 2))
            (a_t, _), (a_m, sigma_m), (a_s, sigma_s) = map(schedule, (t, m, s))
            z = a_m / a_t * x - sigma_m * np.expm1(h / 2) * eps(t, x)
            x = a_s / a_t * x - sigma_s * np.expm1(h) * eps(m, z)
        return x

    return bj.trace(recursion, end=times[-1])


def regauged(family, base, theta, n):
    """Other values of the same solver: s rescaled where only its ratios matter."""
    v = {k: np.array(value) for k, value in family.values(theta).items()}
    s, s_dot, h = v["s"].copy(), v["s_dot"], 1 / n
    g = np.exp(np.random.default_rng(0).normal(size=s.size))
    g[0] = 1.0
    if base == "euler":
        A = (s[:-1] + h * s_dot) / s[1:]
        v["s"] = s * g
        v["t_dot"] = v["t_dot"] * g[1:] / g[:-1]
        v["s_dot"] = (A * v["s"][1:] - v["s"][:-1]) / h
    else:
        g[::2] = 1.0  # only the half-way nodes are free
        first, half = slice(0, -1, 2), slice(1, None, 2)
        P = (s[first] + h / 2 * s_dot[::2]) / s[half]
        v["s"] = s * g
        v["t_dot"] = v["t_dot"] * np.stack([g[half], 1 / g[half]], 1).ravel()
        v["s_dot"][::2] = (P * v["s"][half] - s[first]) * 2 / h
    return family.init(v)


def rank(jacobian) -> int:
    rows = [np.asarray(leaf).reshape(-1, leaf.shape[-1]) for leaf in jacobian]
    return int(np.linalg.matrix_rank(np.concatenate(rows), tol=1e-9))


def rich(t, x, c=None):
    """Curved enough in t and x for every number to leave its own trace."""
    t = jnp.reshape(t, (-1, 1))
    return jnp.sin(2 * x + 3 * t) + 0.3 * x * jnp.cos(2 * t)
